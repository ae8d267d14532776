"""The acquirer, who moves the money: what it is asked and answers (port), and how it is reached (over_http)."""
