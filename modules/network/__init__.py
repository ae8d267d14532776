"""VPC, subnets, network ACLs, endpoints, peering, flow logs and security groups."""
