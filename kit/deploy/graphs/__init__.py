"""A student as a graph for other runtimes, in float or in 8 bits, and as a folder that works without the kit."""
