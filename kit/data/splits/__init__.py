"""Which images are labelled: drawn by hash, by sequence or so that classes are covered, or read from published lists.
Of `kit.data`, imports `spec`, `reading` and `catalog`.
"""
