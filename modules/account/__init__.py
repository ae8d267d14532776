"""What an account has once: CloudTrail, AWS Config, GuardDuty, Security Hub and the alarms on them."""
