"""The simulated outside of the payments service, for tests and load tests: an acquirer that injects faults."""
