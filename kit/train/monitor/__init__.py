"""Reports of a run in training: log, progress, statistics of pseudo labels, pictures."""
