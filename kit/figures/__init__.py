"""Functions from plain arrays and records to figures and tables. Imports `kit.runs` and `kit.data`; needs no
network."""
