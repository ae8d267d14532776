"""`redrive`: shows, returns or discards dead letters."""
