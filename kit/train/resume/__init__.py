"""What a killed run needs to go on with the same bits: checkpoints, state, signals, and the data it is bound to."""
