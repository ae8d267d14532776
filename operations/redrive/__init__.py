"""`redrive`: shows, returns or discards the messages of a dead-letter queue."""
