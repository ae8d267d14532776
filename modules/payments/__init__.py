"""Processing of payments: its queue, functions, alarms, and the acquirer's secret."""
