resource "aws_appautoscaling_target" "payments" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.payments.name}"
  min_capacity       = 2
  max_capacity       = var.first ? 10 : 12
}

resource "aws_appautoscaling_policy" "requests" {
  name               = "requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.payments.service_namespace
  scalable_dimension = aws_appautoscaling_target.payments.scalable_dimension
  resource_id        = aws_appautoscaling_target.payments.resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = var.first ? 500 : 400
    scale_in_cooldown  = 300
    scale_out_cooldown = 60
    disable_scale_in   = false
    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${aws_lb.main.arn_suffix}/${aws_lb_target_group.payments["blue"].arn_suffix}"
    }
  }
}

resource "aws_appautoscaling_policy" "connections" {
  name               = "connections"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.payments.service_namespace
  scalable_dimension = aws_appautoscaling_target.payments.scalable_dimension
  resource_id        = aws_appautoscaling_target.payments.resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = 8
    scale_in_cooldown  = 300
    scale_out_cooldown = 60
    customized_metric_specification {
      metrics {
        id          = "each"
        label       = "Connections of a task"
        expression  = "connections / tasks"
        return_data = true
      }
      metrics {
        id          = "connections"
        return_data = false
        metric_stat {
          stat = "Average"
          metric {
            namespace   = "AWS/RDS"
            metric_name = "DatabaseConnections"
            dimensions {
              name  = "DBClusterIdentifier"
              value = "payments"
            }
          }
        }
      }
      metrics {
        id          = "tasks"
        return_data = false
        metric_stat {
          stat = "Average"
          metric {
            namespace   = "ECS/ContainerInsights"
            metric_name = "RunningTaskCount"
            dimensions {
              name  = "ClusterName"
              value = aws_ecs_cluster.main.name
            }
            dimensions {
              name  = "ServiceName"
              value = aws_ecs_service.payments.name
            }
          }
        }
      }
    }
  }
}

resource "aws_appautoscaling_policy" "down" {
  name               = "down"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.payments.service_namespace
  scalable_dimension = aws_appautoscaling_target.payments.scalable_dimension
  resource_id        = aws_appautoscaling_target.payments.resource_id
  step_scaling_policy_configuration {
    adjustment_type          = "PercentChangeInCapacity"
    cooldown                 = 300
    metric_aggregation_type  = "Average"
    min_adjustment_magnitude = 1
    step_adjustment {
      metric_interval_upper_bound = 0
      scaling_adjustment          = -10
    }
  }
}

resource "aws_appautoscaling_scheduled_action" "evening" {
  name               = "evening"
  service_namespace  = aws_appautoscaling_target.payments.service_namespace
  scalable_dimension = aws_appautoscaling_target.payments.scalable_dimension
  resource_id        = aws_appautoscaling_target.payments.resource_id
  schedule           = "cron(0 17 * * ? *)"
  timezone           = "Europe/Berlin"
  scalable_target_action {
    min_capacity = var.first ? 4 : 5
    max_capacity = 10
  }
}
