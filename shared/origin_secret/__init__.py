"""What sends the origin secret and what checks it, for lambda/rotate_origin_secret."""
