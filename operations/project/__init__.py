"""Commands for the project itself: locks, benchmarks, the requirement table."""
