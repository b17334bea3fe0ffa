"""The configuration of a run: frozen objects, their fields and checks, recipes (one file per publication) and
ablations. Imports only `kit.system`.
"""
