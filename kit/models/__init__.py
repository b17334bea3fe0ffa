"""Networks: timm encoders, decoders, and both combined in a `Segmenter`. Imports `kit.settings` and `kit.system`;
independent of methods, data sets and training.
"""
