resource "aws_codedeploy_app" "payments" {
  name             = "payments"
  compute_platform = "ECS"
}

resource "aws_codedeploy_deployment_config" "canary" {
  deployment_config_name = "payments-canary"
  compute_platform       = "ECS"
  traffic_routing_config {
    type = "TimeBasedCanary"
    time_based_canary {
      interval   = 5
      percentage = 10
    }
  }
}

resource "aws_codedeploy_deployment_config" "linear" {
  deployment_config_name = "payments-linear"
  compute_platform       = "ECS"
  traffic_routing_config {
    type = "TimeBasedLinear"
    time_based_linear {
      interval   = 2
      percentage = 25
    }
  }
}

resource "aws_codedeploy_deployment_group" "payments" {
  app_name               = aws_codedeploy_app.payments.name
  deployment_group_name  = "payments"
  deployment_config_name = var.first ? aws_codedeploy_deployment_config.canary.id : aws_codedeploy_deployment_config.linear.id
  service_role_arn       = aws_iam_role.main.arn
  alarm_configuration {
    enabled = true
    alarms  = var.first ? [aws_cloudwatch_metric_alarm.errors.alarm_name] : [aws_cloudwatch_metric_alarm.errors.alarm_name, "another"]
  }
  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }
  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }
  blue_green_deployment_config {
    deployment_ready_option { action_on_timeout = "CONTINUE_DEPLOYMENT" }
    terminate_blue_instances_on_deployment_success {
      action                           = "TERMINATE"
      termination_wait_time_in_minutes = var.first ? 10 : 15
    }
  }
  ecs_service {
    cluster_name = aws_ecs_cluster.main.name
    service_name = aws_ecs_service.payments.name
  }
  load_balancer_info {
    target_group_pair_info {
      prod_traffic_route { listener_arns = [aws_lb_listener.https.arn] }
      test_traffic_route { listener_arns = [aws_lb_listener.test.arn] }
      target_group { name = aws_lb_target_group.payments["blue"].name }
      target_group { name = aws_lb_target_group.payments["green"].name }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "payments-errors"
  alarm_description   = "Share of errors"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 1
  threshold           = var.first ? 5 : 4
  treat_missing_data  = "notBreaching"
  metric_query {
    id          = "share"
    label       = "Share of errors in percent"
    expression  = "IF(requests > 20, 100 * errors / requests, 0)"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = { errors = "HTTPCode_Target_5XX_Count", requests = "RequestCount" }
    content {
      id          = metric_query.key
      return_data = false
      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        period      = 60
        stat        = "Sum"
        dimensions = {
          LoadBalancer = aws_lb.main.arn_suffix
          TargetGroup  = aws_lb_target_group.payments["blue"].arn_suffix
        }
      }
    }
  }
}
