"""Inspection of finished runs: views of an image, attention, frequency bands. Imports `kit.evaluate`."""
