"""Everything that wants a GPU once: checks, training steps, loaders and serving, in ten minutes."""
