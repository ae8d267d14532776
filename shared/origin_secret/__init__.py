"""CloudFront function and WAF rule groups of the origin secret, for lambda/rotate_origin_secret."""
