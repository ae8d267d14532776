"""`make database`: a session with an environment's database, by Session Manager, for a person and for a while.

policy      what an operator must be allowed, and nothing else
place       where an environment's database is, and what a task needs that stands for it
standing    that task: started, looked at, stopped
session     the port of this machine that leads to the database, and psql on it
command     all of it in order
"""
