"""Comparisons of methods and networks: differences with intervals, and accuracy over cost."""
