# Alarms of every kind, composites over them, and a dashboard.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "first" {
  description = "False for a second apply, which changes what can be changed in place, and removes an alarm of a composite."
  default     = true
}

resource "aws_sns_topic" "pages" {
  name = "pages"
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "payments/local/errors"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.first ? 5 : 7
  evaluation_periods  = 3
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_ELB_5XX_Count"
  dimensions          = { LoadBalancer = "app/a/1" }
  statistic           = "Sum"
  period              = 60
  tags                = { owner = var.first ? "us" : "them" }
  lifecycle { create_before_destroy = true }
}

# What a composite alarm names is deleted last, as the composite is changed first: by create_before_destroy.
resource "aws_cloudwatch_metric_alarm" "gone" {
  count               = var.first ? 1 : 0
  alarm_name          = "payments/local/gone"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 2
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HealthyHostCount"
  dimensions          = { LoadBalancer = "app/a/1" }
  extended_statistic  = "p99"
  period              = 60
  lifecycle { create_before_destroy = true }
}

resource "aws_cloudwatch_metric_alarm" "unusual" {
  alarm_name          = "payments/local/unusual"
  comparison_operator = "LessThanLowerOrGreaterThanUpperThreshold"
  threshold_metric_id = "band"
  evaluation_periods  = 3
  alarm_actions       = [aws_sns_topic.pages.arn]
  metric_query {
    id          = "started"
    return_data = true
    metric {
      namespace   = "Payments"
      metric_name = "PaymentsStarted"
      dimensions  = { Environment = "local" }
      stat        = "Sum"
      period      = 300
    }
  }
  metric_query {
    id          = "band"
    expression  = "ANOMALY_DETECTION_BAND(started, ${var.first ? 2 : 3})"
    label       = "expected"
    return_data = true
  }
}

resource "aws_cloudwatch_composite_alarm" "cause" {
  alarm_name        = "payments/local/cause"
  alarm_description = "Something is wrong"
  alarm_rule        = join(" OR ", [for name in var.first ? ["errors", "gone"] : ["errors"] : "ALARM(\"payments/local/${name}\")"])
  alarm_actions     = [aws_sns_topic.pages.arn]
  ok_actions        = [aws_sns_topic.pages.arn]
  tags              = { owner = var.first ? "us" : "them" }
  depends_on        = [aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.gone]
}

resource "aws_cloudwatch_composite_alarm" "consequence" {
  alarm_name    = "payments/local/consequence"
  alarm_rule    = "ALARM(\"payments/local/unusual\") AND NOT (OK(payments/local/errors) AND FALSE)"
  alarm_actions = [aws_sns_topic.pages.arn]
  actions_suppressor {
    alarm            = aws_cloudwatch_composite_alarm.cause.alarm_name
    wait_period      = var.first ? 60 : 120
    extension_period = 300
  }
  depends_on = [aws_cloudwatch_metric_alarm.unusual, aws_cloudwatch_metric_alarm.errors]
}

resource "aws_cloudwatch_dashboard" "board" {
  dashboard_name = "payments-business-local"
  dashboard_body = jsonencode({
    widgets = [
      { type = "text", x = 0, y = 0, width = 24, height = 1, properties = { markdown = var.first ? "# One" : "# Two" } },
      {
        type = "metric", x = 0, y = 1, width = 12, height = 6,
        properties = {
          region  = "us-west-2"
          metrics = [["Payments", "PaymentsStarted", "Environment", "local"]]
        }
      },
    ]
  })
}
