"""Command-line interface of the operations: a module for each family of commands, and the parameters they share."""
