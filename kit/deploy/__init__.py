"""A student leaves the kit: graphs for other runtimes, 8 bits, model folders, cost card, predictions as files; and
weights of others come in. Imports `kit.evaluate`.
"""
