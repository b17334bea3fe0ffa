"""The only training loop, with its optimiser, checkpoints, logs and processes.
Imports `kit.methods`, `kit.data`, `kit.evaluate`, `kit.runs`.
"""
