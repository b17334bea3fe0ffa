"""From an encoder's maps to features for the classifier: the dual-frequency UPer decoder and DeepLabv3+."""
