"""Experiments: the demo, the study, simulated labelling, planted errors; their collected runs and costs."""
