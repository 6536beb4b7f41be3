"""The parts of bench_lifecycle."""
