"""The only training loop, and what keeps it alive. Imports `kit.methods`, `kit.data`, `kit.evaluate`, `kit.runs`."""
