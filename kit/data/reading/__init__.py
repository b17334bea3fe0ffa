"""Picture files to arrays, to crops, to batches, kept in a cache and made ahead of time by worker processes.
Of `kit.data`, imports `kit.data.spec` alone.
"""
