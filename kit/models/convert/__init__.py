"""The authors' checkpoints under this kit's names."""
