"""Splits into labelled and unlabelled images: drawn by hash, by sequence, with all classes covered, or read from lists.
Imports `spec`, `reading` and `catalog` from `kit.data`.
"""
