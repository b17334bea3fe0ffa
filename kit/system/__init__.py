"""The machine below everything: files that are whole or absent, paths, locks, the console, number formats, memory.
Imports nothing of the kit but `kit.errors`.
"""
