"""Decoders, from an encoder's maps to features for the classifier: dual-frequency UPer, DeepLabv3+ and a fast one."""
