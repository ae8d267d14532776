"""The acquirer, which moves the money: its requests and outcomes (port), and its HTTP client (http_client)."""
