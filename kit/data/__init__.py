"""Images and masks in: data sets, which of their images are labelled, and the batches made of them.
Imports `kit.settings` and `kit.system`.
"""
