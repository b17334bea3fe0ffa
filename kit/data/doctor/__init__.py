"""Checks whether a data set is fit for training: facts about every file, and findings from them.
May import all of `kit.data`.
"""
