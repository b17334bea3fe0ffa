"""One file for each method: which networks it owns, and how a batch becomes a loss.
Imports `kit.models`, `kit.losses` and `kit.settings`; knows nothing of data sets, devices or optimisers.
"""
