"""Scores: predictions by a protocol, metrics, calibration, boundaries, intervals.
Imports `kit.models`, `kit.data`, `kit.runs`.
"""
