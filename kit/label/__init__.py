"""What to label next, pre-annotation out, labels in, suspicious labels.

May import explore, deploy, evaluate, models, data, runs and settings; draws nothing and trains nothing.
"""
