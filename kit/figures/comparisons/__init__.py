"""Methods and networks beside each other: differences with intervals, and accuracy over cost."""
