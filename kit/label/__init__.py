"""What to label next, pre-annotation out, labels in, suspicious labels.

May import evaluate, methods, data, models and what these rest on; draws nothing (`kit.figures`) and trains nothing
(`kit.batch`).
"""
