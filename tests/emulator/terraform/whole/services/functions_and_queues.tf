resource "aws_secretsmanager_secret" "database" {
  name                           = "payments/database"
  description                    = "Database"
  kms_key_id                     = aws_kms_key.primary.arn
  recovery_window_in_days        = 0
  force_overwrite_replica_secret = true
  replica {
    region     = data.aws_region.recovery.name
    kms_key_id = aws_kms_key.recovery.arn
  }
}

ephemeral "aws_secretsmanager_random_password" "database" {
  password_length     = 40
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id                = aws_secretsmanager_secret.database.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.database.random_password
  secret_string_wo_version = 1
}

resource "aws_sqs_queue" "dead" {
  name                              = "reports-dead"
  kms_master_key_id                 = aws_kms_key.primary.arn
  kms_data_key_reuse_period_seconds = 300
  message_retention_seconds         = 1209600
}

resource "aws_sqs_queue" "reports" {
  name                              = "reports"
  kms_master_key_id                 = aws_kms_key.primary.arn
  kms_data_key_reuse_period_seconds = 300
  visibility_timeout_seconds        = var.first ? 300 : 600
  receive_wait_time_seconds         = 20
  redrive_policy                    = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 5 })
}

resource "aws_sqs_queue" "separate" {
  name                    = "separate"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_redrive_policy" "separate" {
  queue_url      = aws_sqs_queue.separate.id
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = var.first ? 3 : 4 })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.reports.arn, aws_sqs_queue.separate.arn]
  })
}

resource "aws_lambda_function" "smoke_test" {
  function_name    = "smoke-test"
  description      = var.first ? "Smoke test" : "Smoke test of a release"
  role             = aws_iam_role.main.arn
  runtime          = "python3.13"
  handler          = "handler.handle"
  architectures    = ["arm64"]
  filename         = "${path.module}/function.zip"
  source_code_hash = filebase64sha256("${path.module}/function.zip")
  kms_key_arn      = aws_kms_key.primary.arn
  memory_size      = 256
  timeout          = var.first ? 60 : 90
  publish          = false
  environment { variables = { TEST_URL = "https://payments.example.com:9443" } }
  dead_letter_config { target_arn = aws_sqs_queue.dead.arn }
  tracing_config { mode = "Active" }
  vpc_config {
    subnet_ids         = local.subnet_ids
    security_group_ids = [aws_security_group.main.id]
  }
  logging_config {
    log_format            = "JSON"
    application_log_level = var.first ? "INFO" : "DEBUG"
    system_log_level      = "WARN"
    log_group             = aws_cloudwatch_log_group.main["/payments/smoke-test"].name
  }
}

resource "aws_lambda_permission" "rotation" {
  statement_id   = "rotation"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.smoke_test.function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = local.account_id
}
