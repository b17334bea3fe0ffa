"""Splits into labelled and unlabelled images: drawn by hash, by sequence, with all classes covered, or read from lists.
Of `kit.data`, imports `spec`, `reading` and `catalog`.
"""
