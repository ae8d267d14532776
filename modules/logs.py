"""Common attributes of all log groups (W5.3)."""

# Exactly 30 days, in every environment: a promise to the auditor, so no setting.
RETENTION_DAYS = 30
