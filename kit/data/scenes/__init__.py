"""Drawn street scenes with exact masks, for trying things without a download.
Imports nothing else of `kit.data`.
"""
