"""What each resource type of the stack is in use by: deletions that AWS refuses, tried, and those that it does not."""
