"""Numbers of runs, grids and data sets as curves, marks, bars and tables."""
