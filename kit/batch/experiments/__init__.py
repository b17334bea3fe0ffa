"""Whole experiments made of grids: the demo, the study, simulated labelling; what they keep, and what a budget buys."""
