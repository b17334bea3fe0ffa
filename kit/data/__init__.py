"""Data sets, the split of their images into labelled and unlabelled ones, and the batches made of them.
Imports `kit.settings` and `kit.system`.
"""
