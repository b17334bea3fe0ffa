"""Suggest images to label, write pre-annotations, import labels, find suspicious labels.

May import explore, evaluate, models, data, runs and settings; draws nothing and trains nothing.
"""
