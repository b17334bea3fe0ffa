"""What `python -m kit bench NAME` runs: the kit against the plain way, in turns in one process."""
