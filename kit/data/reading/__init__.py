"""Decoding of picture files, a cache of decoded ones, random crops, and worker processes that prepare batches.
Of `kit.data`, imports `kit.data.spec` alone.
"""
