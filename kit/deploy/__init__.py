"""Export of students (graphs for other runtimes, 8 bits, model folders, cost cards, predictions as files), and import
of published weights. Imports `kit.evaluate`.
"""
