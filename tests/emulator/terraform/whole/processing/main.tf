# What processes messages: a queue that calls a function, a schedule that calls it, and Terraform that calls it.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "first" {
  type    = bool
  default = true
}

resource "aws_sqs_queue" "dead_letters" {
  name = "dead-letters"
}

resource "aws_sqs_queue" "payments" {
  name                       = "payments"
  visibility_timeout_seconds = var.first ? 270 : 360
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_letters.arn, maxReceiveCount = 5 })
}

resource "aws_iam_role" "function" {
  name = "function"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_lambda_function" "process" {
  function_name                  = "process"
  role                           = aws_iam_role.function.arn
  runtime                        = "python3.13"
  architectures                  = ["arm64"]
  handler                        = "handler.handle"
  filename                       = "${path.module}/function.zip"
  source_code_hash               = filebase64sha256("${path.module}/function.zip")
  reserved_concurrent_executions = var.first ? 10 : 20
  environment {
    variables = { QUEUE_URL = aws_sqs_queue.payments.url }
  }
  depends_on = [aws_lambda_invocation.prepare]
}

resource "aws_lambda_event_source_mapping" "messages" {
  event_source_arn        = aws_sqs_queue.payments.arn
  function_name           = aws_lambda_function.process.function_name
  batch_size              = var.first ? 10 : 5
  function_response_types = ["ReportBatchItemFailures"]
  scaling_config {
    maximum_concurrency = var.first ? 10 : 20
  }
}

resource "aws_cloudwatch_event_rule" "schedule" {
  name                = "reconcile"
  schedule_expression = var.first ? "rate(5 minutes)" : "rate(1 minute)"
}

resource "aws_cloudwatch_event_target" "schedule" {
  rule = aws_cloudwatch_event_rule.schedule.name
  arn  = aws_lambda_function.process.arn
  retry_policy {
    maximum_retry_attempts       = 0
    maximum_event_age_in_seconds = var.first ? 300 : 60
  }
}

resource "aws_lambda_permission" "schedule" {
  function_name = aws_lambda_function.process.function_name
  action        = "lambda:InvokeFunction"
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule.arn
}

resource "aws_cloudwatch_log_group" "prepare" {
  name = "/aws/lambda/prepare"
}

resource "aws_lambda_function" "prepare" {
  function_name    = "prepare"
  role             = aws_iam_role.function.arn
  runtime          = "python3.13"
  handler          = "handler.handle"
  filename         = "${path.module}/function.zip"
  source_code_hash = filebase64sha256("${path.module}/function.zip")
  depends_on       = [aws_cloudwatch_log_group.prepare]
}

resource "aws_lambda_invocation" "prepare" {
  function_name   = aws_lambda_function.prepare.function_name
  input           = jsonencode({ code = var.first ? "one" : "two" })
  lifecycle_scope = "CRUD"
}

output "prepared" {
  value = aws_lambda_invocation.prepare.result
}
