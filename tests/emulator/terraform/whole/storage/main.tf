# Keys, buckets with everything around them, topics and alarms.
terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      version               = "5.100.0"
      configuration_aliases = [aws.recovery, aws.global]
    }
  }
}

variable "first" {
  description = "False for a second apply, which changes what can be changed in place."
  default     = true
}

data "aws_caller_identity" "current" {}

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
  enable_key_rotation     = true
  rotation_period_in_days = var.first ? 90 : 120
}

resource "aws_kms_key_policy" "primary" {
  key_id = aws_kms_key.primary.id
  policy = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "primary" {
  name          = "alias/primary"
  target_key_id = aws_kms_key.primary.id
}

resource "aws_kms_key" "recovery" {
  provider                = aws.recovery
  description             = "Recovery"
  deletion_window_in_days = 7
  enable_key_rotation     = true
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_s3_bucket" "source" {
  bucket        = "rehearsal-source"
  force_destroy = true
}

resource "aws_s3_bucket" "logs" {
  bucket        = "rehearsal-logs"
  force_destroy = true
}

resource "aws_s3_bucket" "target" {
  provider      = aws.recovery
  bucket        = "rehearsal-target"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "source" {
  bucket = aws_s3_bucket.source.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_versioning" "target" {
  provider = aws.recovery
  bucket   = aws_s3_bucket.target.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "source" {
  bucket = aws_s3_bucket.source.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.primary.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "source" {
  bucket                  = aws_s3_bucket.source.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_account_public_access_block" "account" {
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = var.first
}

resource "aws_s3_bucket_ownership_controls" "source" {
  bucket = aws_s3_bucket.source.id
  rule { object_ownership = "BucketOwnerEnforced" }
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.source.arn, "${aws_s3_bucket.source.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "source" {
  bucket     = aws_s3_bucket.source.id
  policy     = data.aws_iam_policy_document.tls_only.json
  depends_on = [aws_s3_bucket_public_access_block.source]
}

data "aws_iam_policy_document" "logs" {
  statement {
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/*"]
    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = data.aws_iam_policy_document.logs.json
}

resource "aws_s3_bucket_logging" "source" {
  bucket        = aws_s3_bucket.source.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "source/"
  depends_on    = [aws_s3_bucket_policy.logs]
}

resource "aws_s3_bucket_notification" "source" {
  bucket      = aws_s3_bucket.source.id
  eventbridge = var.first
}

data "aws_iam_policy_document" "replication_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "replication" {
  name               = "replication"
  assume_role_policy = data.aws_iam_policy_document.replication_assume.json
}

data "aws_iam_policy_document" "replication" {
  statement {
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [aws_s3_bucket.source.arn]
  }
}

resource "aws_iam_policy" "replication" {
  name   = "replication"
  policy = data.aws_iam_policy_document.replication.json
}

resource "aws_iam_role_policy_attachment" "replication" {
  role       = aws_iam_role.replication.name
  policy_arn = aws_iam_policy.replication.arn
}

resource "aws_iam_role_policy_attachment" "of_aws" {
  role       = aws_iam_role.replication.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_s3_bucket_replication_configuration" "source" {
  bucket     = aws_s3_bucket.source.id
  role       = aws_iam_role.replication.arn
  depends_on = [aws_s3_bucket_versioning.source, aws_s3_bucket_versioning.target]
  rule {
    id       = "everything"
    priority = 1
    status   = "Enabled"
    filter {}
    delete_marker_replication { status = var.first ? "Enabled" : "Disabled" }
    source_selection_criteria {
      sse_kms_encrypted_objects { status = "Enabled" }
    }
    destination {
      bucket        = aws_s3_bucket.target.arn
      storage_class = "STANDARD_IA"
      encryption_configuration { replica_kms_key_id = aws_kms_key.recovery.arn }
      metrics {
        status = "Enabled"
        event_threshold { minutes = 15 }
      }
      replication_time {
        status = "Enabled"
        time { minutes = 15 }
      }
    }
  }
  rule {
    id       = "some"
    priority = 2
    status   = "Enabled"
    filter {
      and {
        prefix = "reports/"
        tags   = { kind = "report", retention = "long" }
      }
    }
    delete_marker_replication { status = "Disabled" }
    source_selection_criteria {
      replica_modifications { status = "Enabled" }
      sse_kms_encrypted_objects { status = "Disabled" }
    }
    destination {
      bucket  = aws_s3_bucket.target.arn
      account = local.account_id
      access_control_translation { owner = "Destination" }
    }
  }
}

resource "aws_sns_topic" "alarms" {
  name              = "alarms"
  kms_master_key_id = aws_kms_alias.primary.name
}

data "aws_iam_policy_document" "alarms" {
  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = "on-call@example.com"
}

resource "aws_cloudwatch_metric_alarm" "nat" {
  alarm_name          = "nat-port-allocation"
  alarm_description   = "The NAT gateway has run out of ports."
  namespace           = "AWS/NATGateway"
  metric_name         = "ErrorPortAllocation"
  dimensions          = { NatGatewayId = "nat-00000000000000000" }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "share" {
  alarm_name          = "share"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  metric_query {
    id          = "share"
    expression  = "errors / 100"
    return_data = true
  }
  metric_query {
    id = "errors"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      period      = 60
      stat        = "Sum"
    }
  }
}

resource "aws_cloudwatch_log_group" "edge" {
  provider          = aws.global
  name              = "aws-waf-logs-rehearsal"
  retention_in_days = 30
}

resource "aws_backup_vault" "backups" {
  name          = "backups"
  force_destroy = true
}
