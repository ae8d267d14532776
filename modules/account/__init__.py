"""Singletons of an account that audit it: CloudTrail, AWS Config, GuardDuty, Security Hub and the alarms on them."""
