"""The ways of the platform's network, and the connections that need them."""
