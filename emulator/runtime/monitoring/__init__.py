"""CloudWatch that rings: what runs here is sampled each minute, alarms are evaluated, and their actions happen."""
