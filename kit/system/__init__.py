"""Services of the operating system and of torch: safe files, paths, locks, the console, number formats, memory.
Imports nothing of the kit but `kit.errors`.
"""
