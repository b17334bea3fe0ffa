"""Conversion of the authors' checkpoints to this kit's weight names."""
