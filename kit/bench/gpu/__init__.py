"""Everything that needs a GPU once: checks, training steps, loaders and serving, in ten minutes."""
