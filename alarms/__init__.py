"""CloudWatch's metrics and alarms, as AWS documents them: statistics, metric math, states, composite alarms.

A leaf: it knows neither the local AWS nor the stack. Times are seconds since the epoch, of whichever clock the caller
goes by.
"""
