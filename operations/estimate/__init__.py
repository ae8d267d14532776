"""`estimate`: the monthly cost of each environment before use."""
