"""The acquirer's settlement files, held against the database, both ways: what is missing, and what differs.

- formats: the form of a file, line by line; others are added there
- files: the bucket that they are in
- reader: reads them, completes what is pending here, and stores what differs
- command: `python -m payments settlement`, for people
"""
