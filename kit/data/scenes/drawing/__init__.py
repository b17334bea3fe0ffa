"""Things of a street, drawn where a plan puts them: canvas, colours, tags, and a file for each kind of thing.
Imports nothing else of `kit`.
"""
