"""What of the deployed things really runs or answers: functions, load balancers, releases, queues' pollers."""
