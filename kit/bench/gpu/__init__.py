"""All checks and measurements on a GPU in one run of ten minutes: tests, training steps, loaders, latency."""
