"""SQS queues with dead-letter queues, and queues that receive events."""
