"""What networks compute inside: frequency bands of their maps, channel attention, self-attention."""
