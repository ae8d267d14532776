"""The processing of accepted operations: each is requested from the acquirer and completed once, and none is lost."""
