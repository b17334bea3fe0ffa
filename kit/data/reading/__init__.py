"""Decoding of picture files, a cache of decoded ones, random crops, and worker processes that prepare batches.
Imports only `kit.data.spec` from `kit.data`.
"""
