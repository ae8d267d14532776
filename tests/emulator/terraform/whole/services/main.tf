# Clusters and images, a load balancer, a blue/green service, a worker, and what releases and scales them.
terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      version               = "5.100.0"
      configuration_aliases = [aws.recovery]
    }
  }
}

variable "first" {
  description = "False for a second apply, which changes what can be changed in place."
  default     = true
}

data "aws_caller_identity" "current" {}
data "aws_region" "recovery" { provider = aws.recovery }

locals { account_id = data.aws_caller_identity.current.account_id }

data "aws_iam_policy_document" "key" {
  statement {
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account_id}:root"]
    }
  }
}

resource "aws_kms_key" "primary" {
  description             = "Primary"
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_key" "recovery" {
  provider                = aws.recovery
  description             = "Recovery"
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_vpc" "main" { cidr_block = "10.0.0.0/16" }

resource "aws_internet_gateway" "main" { vpc_id = aws_vpc.main.id }

resource "aws_subnet" "main" {
  for_each          = { a = "10.0.0.0/24", b = "10.0.1.0/24" }
  vpc_id            = aws_vpc.main.id
  cidr_block        = each.value
  availability_zone = "us-east-2${each.key}"
}

locals { subnet_ids = [for subnet in aws_subnet.main : subnet.id] }

resource "aws_security_group" "main" {
  name        = "main"
  description = "Everything"
  vpc_id      = aws_vpc.main.id
}

data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

resource "aws_vpc_security_group_ingress_rule" "cloudfront" {
  security_group_id = aws_security_group.main.id
  description       = "HTTPS from CloudFront"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_iam_role" "main" {
  name = "main"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com", "codedeploy.amazonaws.com"] }
    }]
  })
}

resource "aws_cloudwatch_log_group" "main" {
  for_each          = toset(["/payments/tasks", "/payments/sessions", "/payments/smoke-test"])
  name              = each.value
  retention_in_days = var.first ? 30 : 90
}
