"""`review`: a plan as a reviewer reads it, and its application as approved."""
