"""Folders of finished runs: read, compared, found. Imports `kit.settings` and `kit.system`."""
