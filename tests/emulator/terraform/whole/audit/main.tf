# The audit trail with its metric filters, threat detection, configuration rules, findings, analyzers, and a budget.
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

locals { account_id = data.aws_caller_identity.current.account_id }

resource "aws_kms_key" "logs" {
  description             = "Logs"
  deletion_window_in_days = 7
}

resource "aws_s3_bucket" "trail" {
  bucket        = "rehearsal-trail"
  force_destroy = true
}

resource "aws_s3_bucket" "sensitive" {
  bucket        = "rehearsal-sensitive"
  force_destroy = true
}

resource "aws_sns_topic" "alarms" {
  name = "budget"
}

# --- The trail ---

resource "aws_cloudwatch_log_group" "trail" {
  name              = "/rehearsal/trail"
  retention_in_days = 30
  kms_key_id        = aws_kms_key.logs.arn
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com", "config.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "audit" {
  name               = "audit"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "config" {
  role       = aws_iam_role.audit.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWS_ConfigRole"
}

resource "aws_cloudtrail" "trail" {
  name                       = "rehearsal"
  s3_bucket_name             = aws_s3_bucket.trail.id
  s3_key_prefix              = var.first ? "trail" : "trails"
  kms_key_id                 = aws_kms_key.logs.arn
  cloud_watch_logs_group_arn = "${aws_cloudwatch_log_group.trail.arn}:*"
  cloud_watch_logs_role_arn  = aws_iam_role.audit.arn
  enable_log_file_validation = true
  is_multi_region_trail      = true
  tags                       = { Name = "rehearsal" }

  advanced_event_selector {
    name = "management"
    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }
  advanced_event_selector {
    name = var.first ? "objects" : "written objects"
    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }
    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }
    field_selector {
      field       = "resources.ARN"
      starts_with = ["${aws_s3_bucket.sensitive.arn}/"]
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "root_use" {
  name           = "root-use"
  log_group_name = aws_cloudwatch_log_group.trail.name
  pattern        = var.first ? "{ $.userIdentity.type = \"Root\" }" : "{ ($.userIdentity.type = \"Root\") && ($.eventType != \"AwsServiceEvent\") }"
  metric_transformation {
    name      = "root-use"
    namespace = "rehearsal"
    value     = "1"
  }
}

# --- What an account has once in each region ---

resource "aws_guardduty_detector" "primary" {
  enable                       = true
  finding_publishing_frequency = var.first ? "FIFTEEN_MINUTES" : "ONE_HOUR"
  tags                         = { Name = "rehearsal" }
}

resource "aws_guardduty_detector" "recovery" {
  provider = aws.recovery
  enable   = true
}

resource "aws_guardduty_detector_feature" "features" {
  for_each    = toset(["RDS_LOGIN_EVENTS", "S3_DATA_EVENTS"])
  detector_id = aws_guardduty_detector.primary.id
  name        = each.key
  status      = var.first || each.key == "S3_DATA_EVENTS" ? "ENABLED" : "DISABLED"
}

resource "aws_config_configuration_recorder" "primary" {
  name     = "rehearsal"
  role_arn = aws_iam_role.audit.arn
  recording_group {
    all_supported                 = true
    include_global_resource_types = true
  }
}

resource "aws_config_configuration_recorder" "recovery" {
  provider = aws.recovery
  name     = "rehearsal"
  role_arn = aws_iam_role.audit.arn
  recording_group {
    all_supported                 = true
    include_global_resource_types = false
  }
}

resource "aws_config_delivery_channel" "primary" {
  name           = "rehearsal"
  s3_bucket_name = aws_s3_bucket.trail.id
  s3_key_prefix  = "config"
  s3_kms_key_arn = aws_kms_key.logs.arn
  snapshot_delivery_properties {
    delivery_frequency = var.first ? "TwentyFour_Hours" : "Twelve_Hours"
  }
  depends_on = [aws_config_configuration_recorder.primary]
}

resource "aws_config_configuration_recorder_status" "primary" {
  name       = aws_config_configuration_recorder.primary.name
  is_enabled = true
  depends_on = [aws_config_delivery_channel.primary]
}

resource "aws_config_config_rule" "encrypted" {
  name        = "pci-3.5.1-rds-storage-encrypted"
  description = var.first ? "Databases are encrypted" : "All databases are encrypted"
  source {
    owner             = "AWS"
    source_identifier = "RDS_STORAGE_ENCRYPTED"
  }
  depends_on = [aws_config_configuration_recorder.primary]
}

resource "aws_config_config_rule" "rotated" {
  name             = "pci-8.6.3-access-keys-rotated"
  input_parameters = jsonencode({ maxAccessKeyAge = var.first ? "90" : "60" })
  source {
    owner             = "AWS"
    source_identifier = "ACCESS_KEYS_ROTATED"
  }
  depends_on = [aws_config_configuration_recorder.primary]
}

resource "aws_securityhub_account" "primary" {
  enable_default_standards  = false
  control_finding_generator = "SECURITY_CONTROL"
  auto_enable_controls      = var.first
}

resource "aws_securityhub_account" "recovery" {
  provider                 = aws.recovery
  enable_default_standards = false
}

resource "aws_securityhub_standards_subscription" "standards" {
  for_each      = toset(["pci-dss/v/4.0.1", "aws-foundational-security-best-practices/v/1.0.0"])
  standards_arn = "arn:aws:securityhub:us-east-2::standards/${each.key}"
  depends_on    = [aws_securityhub_account.primary]
}

resource "aws_securityhub_finding_aggregator" "primary" {
  linking_mode      = "SPECIFIED_REGIONS"
  specified_regions = var.first ? ["us-west-2"] : ["us-east-1", "us-west-2"]
  depends_on        = [aws_securityhub_account.primary]
}

resource "aws_accessanalyzer_analyzer" "primary" {
  analyzer_name = "rehearsal"
  type          = "ACCOUNT"
  tags          = { Name = var.first ? "first" : "second" }
}

# --- The budget ---

resource "aws_budgets_budget" "monthly" {
  name         = "rehearsal"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = var.first ? "1000" : "2000"
  limit_unit   = "USD"
  cost_filter {
    name   = "TagKeyValue"
    values = ["user:environment_suffix$rehearsal"]
  }
  notification {
    notification_type          = "ACTUAL"
    comparison_operator        = "GREATER_THAN"
    threshold                  = var.first ? 80 : 90
    threshold_type             = "PERCENTAGE"
    subscriber_sns_topic_arns  = [aws_sns_topic.alarms.arn]
    subscriber_email_addresses = ["finance@example.com"]
  }
  notification {
    notification_type         = "FORECASTED"
    comparison_operator       = "GREATER_THAN"
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
  }
  tags = { Name = "rehearsal" }
}
