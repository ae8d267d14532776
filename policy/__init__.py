"""What the synthesized configuration is held against: checkov's rules, and IAM policies statement by statement."""
