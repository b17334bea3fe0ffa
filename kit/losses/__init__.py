"""Pure functions of tensors. Imports `kit.system` and `kit.settings.checks` alone."""
