"""CloudWatch dashboards: of the platform, and of payments."""
