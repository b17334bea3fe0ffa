"""What defines a run: frozen configuration objects, their fields and checks, recipes (one file per publication) and
ablations. Imports `kit.system` alone.
"""
