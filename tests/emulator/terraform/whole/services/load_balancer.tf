resource "aws_route53_zone" "main" {
  name          = "example.com"
  force_destroy = true
}

data "aws_route53_zone" "main" {
  name       = "example.com"
  depends_on = [aws_route53_zone.main]
}

resource "aws_acm_certificate" "main" {
  domain_name               = "payments.example.com"
  subject_alternative_names = ["*.payments.example.com"]
  validation_method         = "DNS"
  lifecycle { create_before_destroy = true }
}

locals { validation = tolist(aws_acm_certificate.main.domain_validation_options)[0] }

resource "aws_route53_record" "validation" {
  zone_id = data.aws_route53_zone.main.zone_id
  name    = local.validation.resource_record_name
  type    = local.validation.resource_record_type
  records = [local.validation.resource_record_value]
  ttl     = 60
}

resource "aws_acm_certificate_validation" "main" {
  certificate_arn         = aws_acm_certificate.main.arn
  validation_record_fqdns = [aws_route53_record.validation.fqdn]
}

resource "aws_s3_bucket" "logs" {
  bucket        = "rehearsal-load-balancer-logs"
  force_destroy = true
}

resource "aws_lb" "main" {
  name                                        = "main"
  load_balancer_type                          = "application"
  subnets                                     = local.subnet_ids
  security_groups                             = [aws_security_group.main.id]
  drop_invalid_header_fields                  = true
  desync_mitigation_mode                      = "strictest"
  enable_deletion_protection                  = false
  enable_http2                                = true
  enable_tls_version_and_cipher_suite_headers = true
  enable_waf_fail_open                        = false
  enable_xff_client_port                      = true
  idle_timeout                                = var.first ? 30 : 45
  client_keep_alive                           = 1800
  preserve_host_header                        = true
  xff_header_processing_mode                  = "append"
  access_logs {
    bucket  = aws_s3_bucket.logs.id
    prefix  = "access"
    enabled = true
  }
  connection_logs {
    bucket  = aws_s3_bucket.logs.id
    prefix  = "connections"
    enabled = true
  }
}

resource "aws_lb_target_group" "payments" {
  for_each                      = toset(["blue", "green"])
  name                          = "payments-${each.key}"
  vpc_id                        = aws_vpc.main.id
  target_type                   = "ip"
  port                          = 8443
  protocol                      = "HTTPS"
  protocol_version              = "HTTP1"
  deregistration_delay          = var.first ? 60 : 90
  slow_start                    = 30
  load_balancing_algorithm_type = "least_outstanding_requests"
  health_check {
    path                = var.first ? "/health" : "/healthz"
    port                = "traffic-port"
    protocol            = "HTTPS"
    matcher             = "200-299"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.main.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.main.certificate_arn
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Forbidden"
      status_code  = "403"
    }
  }
}

resource "aws_lb_listener" "redirect" {
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "test" {
  load_balancer_arn = aws_lb.main.arn
  port              = 9443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.main.certificate_arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.payments["blue"].arn
  }
  lifecycle { ignore_changes = [default_action] }
}

resource "aws_lb_listener_rule" "payments" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 100
  condition {
    path_pattern { values = var.first ? ["/api/*"] : ["/api/*", "/v2/*"] }
  }
  condition {
    http_header {
      http_header_name = "x-origin-verify"
      values           = ["the-current-value", "the-previous-value"]
    }
  }
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.payments["blue"].arn
        weight = 100
      }
      target_group {
        arn    = aws_lb_target_group.payments["green"].arn
        weight = 0
      }
    }
  }
  lifecycle { ignore_changes = [action] }
}

resource "aws_lb_listener_rule" "single" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 200
  condition {
    path_pattern { values = ["/single/*"] }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.payments["blue"].arn
  }
  lifecycle { ignore_changes = [action] }
}
