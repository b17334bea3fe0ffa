"""Networks: encoders of timm, decoders, and both as one `Segmenter`. Imports `kit.settings` and `kit.system`;
knows nothing of methods, data sets or training.
"""
