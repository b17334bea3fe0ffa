"""Plain implementations, written like most published code, as references for the benchmarks."""
