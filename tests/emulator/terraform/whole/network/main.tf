# What the networks of the platform are made of, in two regions with a peering between them.
terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      version               = "5.100.0"
      configuration_aliases = [aws.recovery]
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}
data "aws_partition" "current" {}
data "aws_availability_zones" "available" {
  state = "available"
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}
data "aws_ec2_managed_prefix_list" "cloudfront" { name = "com.amazonaws.global.cloudfront.origin-facing" }
data "aws_ec2_managed_prefix_list" "s3" { name = "com.amazonaws.${data.aws_region.current.name}.s3" }

resource "aws_vpc" "primary" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = "primary" }
}

resource "aws_vpc" "recovery" {
  provider   = aws.recovery
  cidr_block = "10.1.0.0/16"
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.primary.id
  cidr_block        = cidrsubnet(aws_vpc.primary.cidr_block, 8, count.index)
  availability_zone = data.aws_availability_zones.available.names[count.index]
}

resource "aws_internet_gateway" "primary" { vpc_id = aws_vpc.primary.id }

resource "aws_eip" "nat" { domain = "vpc" }

resource "aws_nat_gateway" "primary" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.private[0].id
  depends_on    = [aws_internet_gateway.primary]
}

resource "aws_route_table" "private" { vpc_id = aws_vpc.primary.id }

resource "aws_route_table_association" "private" {
  count          = 2
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

resource "aws_route" "outward" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.primary.id
}

resource "aws_route" "recovery" {
  route_table_id            = aws_route_table.private.id
  destination_cidr_block    = aws_vpc.recovery.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.recovery.id
}

resource "aws_default_route_table" "primary" {
  default_route_table_id = aws_vpc.primary.default_route_table_id
  route                  = []
}

resource "aws_default_network_acl" "primary" {
  default_network_acl_id = aws_vpc.primary.default_network_acl_id
}

resource "aws_default_security_group" "primary" { vpc_id = aws_vpc.primary.id }

resource "aws_network_acl" "private" {
  vpc_id     = aws_vpc.primary.id
  subnet_ids = aws_subnet.private[*].id
  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "tcp"
    from_port  = 1024
    to_port    = 65535
    cidr_block = "0.0.0.0/0"
  }
  egress {
    rule_no    = 100
    action     = "allow"
    protocol   = "-1"
    from_port  = 0
    to_port    = 0
    cidr_block = "0.0.0.0/0"
  }
}

resource "aws_network_acl_rule" "https" {
  network_acl_id = aws_network_acl.separate.id
  rule_number    = 200
  protocol       = "tcp"
  rule_action    = "allow"
  cidr_block     = "10.1.0.0/16"
  from_port      = 443
  to_port        = 443
}

resource "aws_network_acl" "separate" {
  vpc_id = aws_vpc.primary.id
}

resource "aws_security_group" "load_balancer" {
  name                   = "load-balancer"
  description            = "Load balancer"
  vpc_id                 = aws_vpc.primary.id
  revoke_rules_on_delete = true
}

resource "aws_security_group" "service" {
  name        = "service"
  description = "Service"
  vpc_id      = aws_vpc.primary.id
}

resource "aws_vpc_security_group_ingress_rule" "from_cloudfront" {
  security_group_id = aws_security_group.load_balancer.id
  description       = "HTTPS from CloudFront"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
}

resource "aws_vpc_security_group_egress_rule" "to_service" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "HTTP to the service"
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
  referenced_security_group_id = aws_security_group.service.id
}

resource "aws_vpc_security_group_ingress_rule" "from_load_balancer" {
  security_group_id            = aws_security_group.service.id
  description                  = "HTTP from the load balancer"
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
  referenced_security_group_id = aws_security_group.load_balancer.id
}

resource "aws_vpc_security_group_egress_rule" "to_s3" {
  security_group_id = aws_security_group.service.id
  description       = "HTTPS to S3"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = data.aws_ec2_managed_prefix_list.s3.id
}

resource "aws_vpc_security_group_egress_rule" "to_recovery" {
  security_group_id = aws_security_group.service.id
  description       = "Everything to the recovery network"
  ip_protocol       = "-1"
  cidr_ipv4         = aws_vpc.recovery.cidr_block
}

data "aws_iam_policy_document" "own_account_only" {
  statement {
    actions   = ["*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.primary.id
  service_name    = "com.amazonaws.us-east-2.s3"
  route_table_ids = [aws_route_table.private.id]
  policy          = data.aws_iam_policy_document.own_account_only.json
}

resource "aws_vpc_endpoint" "logs" {
  vpc_id              = aws_vpc.primary.id
  service_name        = "com.amazonaws.us-east-2.logs"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.service.id]
  policy              = data.aws_iam_policy_document.own_account_only.json
}

resource "aws_vpc_peering_connection" "recovery" {
  vpc_id      = aws_vpc.primary.id
  peer_vpc_id = aws_vpc.recovery.id
  peer_region = "us-west-2"
}

resource "aws_vpc_peering_connection_accepter" "recovery" {
  provider                  = aws.recovery
  vpc_peering_connection_id = aws_vpc_peering_connection.recovery.id
  auto_accept               = true
}

resource "aws_vpc_peering_connection_options" "requester" {
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.recovery.id
  requester { allow_remote_vpc_dns_resolution = true }
}

resource "aws_vpc_peering_connection_options" "accepter" {
  provider                  = aws.recovery
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.recovery.id
  accepter { allow_remote_vpc_dns_resolution = true }
}

data "aws_iam_policy_document" "flow_logs_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "flow_logs" {
  name               = "flow-logs"
  assume_role_policy = data.aws_iam_policy_document.flow_logs_assume.json
}

data "aws_iam_policy_document" "flow_logs" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow_logs.arn}:*"]
  }
}

resource "aws_iam_role_policy" "flow_logs" {
  name   = "write"
  role   = aws_iam_role.flow_logs.id
  policy = data.aws_iam_policy_document.flow_logs.json
}

data "aws_iam_policy_document" "flow_logs_key" {
  statement {
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
}

resource "aws_kms_key" "flow_logs" {
  description             = "Flow logs"
  deletion_window_in_days = 7
  enable_key_rotation     = true
  rotation_period_in_days = 180
  policy                  = data.aws_iam_policy_document.flow_logs_key.json
}

resource "aws_cloudwatch_log_group" "flow_logs" {
  name              = "/rehearsal/flow-logs"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.flow_logs.arn
}

resource "aws_flow_log" "primary" {
  vpc_id                   = aws_vpc.primary.id
  traffic_type             = "ALL"
  iam_role_arn             = aws_iam_role.flow_logs.arn
  log_destination          = aws_cloudwatch_log_group.flow_logs.arn
  max_aggregation_interval = 60
}
