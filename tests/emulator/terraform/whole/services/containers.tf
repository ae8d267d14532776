resource "aws_ecs_cluster" "main" {
  name = "main"
  setting {
    name  = "containerInsights"
    value = var.first ? "enhanced" : "enabled"
  }
  configuration {
    execute_command_configuration {
      kms_key_id = aws_kms_key.primary.arn
      logging    = "OVERRIDE"
      log_configuration {
        cloud_watch_encryption_enabled = true
        cloud_watch_log_group_name     = aws_cloudwatch_log_group.main["/payments/sessions"].name
      }
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 100
  }
}

resource "aws_ecs_task_definition" "main" {
  for_each                 = { payments = "ARM64", reports = "X86_64" }
  family                   = each.key
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.main.arn
  task_role_arn            = aws_iam_role.main.arn
  skip_destroy             = false
  runtime_platform {
    cpu_architecture        = each.value
    operating_system_family = "LINUX"
  }
  volume { name = "tmp" }
  container_definitions = jsonencode([{
    name                   = each.key
    image                  = "${aws_ecr_repository.payments.repository_url}@sha256:${sha256(each.key)}"
    essential              = true
    readonlyRootFilesystem = true
    user                   = "10001:10001"
    stopTimeout            = var.first ? 60 : 120
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    portMappings           = [{ containerPort = 8443, hostPort = 8443, protocol = "tcp", name = "https", appProtocol = "http" }]
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    environment            = [{ name = "LOG_LEVEL", value = "info" }]
    secrets                = [{ name = "DATABASE_SECRET", valueFrom = aws_secretsmanager_secret.database.arn }]
    healthCheck = {
      command     = ["CMD-SHELL", "wget -q -O /dev/null https://localhost:8443/health"]
      interval    = 10
      retries     = 3
      startPeriod = 30
      timeout     = 5
    }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.main["/payments/tasks"].name
        awslogs-region        = "us-east-2"
        awslogs-stream-prefix = each.key
        mode                  = "non-blocking"
        max-buffer-size       = "8m"
      }
    }
    systemControls = []
    volumesFrom    = []
  }])
  tags = { Service = each.key }
}

resource "aws_ecs_service" "payments" {
  name                              = "payments"
  cluster                           = aws_ecs_cluster.main.arn
  task_definition                   = aws_ecs_task_definition.main["payments"].arn
  desired_count                     = 2
  enable_execute_command            = true
  enable_ecs_managed_tags           = true
  propagate_tags                    = "SERVICE"
  health_check_grace_period_seconds = var.first ? 60 : 90
  availability_zone_rebalancing     = "ENABLED"
  launch_type                       = "FARGATE"
  platform_version                  = "1.4.0"
  deployment_controller { type = "CODE_DEPLOY" }
  network_configuration {
    subnets          = local.subnet_ids
    security_groups  = [aws_security_group.main.id]
    assign_public_ip = false
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.payments["blue"].arn
    container_name   = "payments"
    container_port   = 8443
  }
  lifecycle { ignore_changes = [task_definition, load_balancer, desired_count] }
  depends_on = [aws_lb_listener_rule.payments, aws_lb_listener.test]
}

resource "aws_ecs_service" "strategy" {
  name                          = "strategy"
  cluster                       = aws_ecs_cluster.main.arn
  task_definition               = aws_ecs_task_definition.main["payments"].arn
  desired_count                 = 1
  availability_zone_rebalancing = "DISABLED"
  deployment_controller { type = "CODE_DEPLOY" }
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 1
  }
  network_configuration {
    subnets         = local.subnet_ids
    security_groups = [aws_security_group.main.id]
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.payments["green"].arn
    container_name   = "payments"
    container_port   = 8443
  }
  lifecycle { ignore_changes = [task_definition, load_balancer, desired_count] }
  depends_on = [aws_lb_listener_rule.payments, aws_ecs_cluster_capacity_providers.main]
}

resource "aws_ecs_service" "reports" {
  name                               = "reports"
  cluster                            = aws_ecs_cluster.main.arn
  task_definition                    = aws_ecs_task_definition.main["reports"].arn
  desired_count                      = 1
  enable_execute_command             = true
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  availability_zone_rebalancing      = "ENABLED"
  deployment_maximum_percent         = var.first ? 200 : 150
  deployment_minimum_healthy_percent = 100
  capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 1
  }
  capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    weight            = 3
  }
  deployment_controller { type = "ECS" }
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = local.subnet_ids
    security_groups = [aws_security_group.main.id]
  }
  lifecycle { ignore_changes = [desired_count] }
  depends_on = [aws_ecs_cluster_capacity_providers.main]
}
