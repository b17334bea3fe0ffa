"""Benchmarks of `python -m kit bench NAME`; most time the kit and a plain reference in turns, in one process.
Imports `kit.methods`, `kit.evaluate`, `kit.deploy`; the plain references are in `plain/`.
"""
