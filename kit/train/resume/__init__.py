"""Resuming a killed run bit by bit: checkpoints, state, signals, and the data of the run."""
