"""Parts for unlabelled images that methods share: pasting, confidence thresholds, and labels from averaged networks.
Imports nothing else of `kit.methods`.
"""
