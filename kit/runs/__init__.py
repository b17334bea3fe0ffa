"""Folders of runs: reading, writing, finding, grouping. Imports `kit.settings` and `kit.system`."""
