resource "aws_ecr_repository" "payments" {
  name                 = "payments"
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration { scan_on_push = true }
  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.primary.arn
  }
}

resource "aws_ecr_lifecycle_policy" "payments" {
  repository = aws_ecr_repository.payments.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "The newest images"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.first ? 50 : 60 }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_ecr_replication_configuration" "all" {
  replication_configuration {
    rule {
      destination {
        region      = data.aws_region.recovery.name
        registry_id = local.account_id
      }
      repository_filter {
        filter      = "payments"
        filter_type = "PREFIX_MATCH"
      }
    }
  }
}
