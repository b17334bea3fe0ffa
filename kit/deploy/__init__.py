"""A student leaves the kit: export, cost card, predictions as files; and weights of others come in.
Imports `kit.evaluate`.
"""
