"""Folders of runs: reading, writing, finding. Imports `kit.settings` and `kit.system`."""
