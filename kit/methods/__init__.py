"""One file for each method: its networks, and the loss of a batch.
Imports `kit.models`, `kit.losses` and `kit.settings`; independent of data sets, devices and optimisers.
"""
