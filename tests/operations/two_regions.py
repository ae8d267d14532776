"""A configuration of two regions that is small enough to be read."""

from __future__ import annotations

import json

from tests.synthesized import Block

TWO_REGIONS: Block = {
    "terraform": {
        "required_providers": {"aws": {"source": "aws", "version": "5.100.0"}},
        "backend": {"local": {"path": "terraform.tfstate"}},
    },
    "provider": {
        "aws": [
            {
                "region": "us-east-2",
                "default_tags": [{"tags": {"platform": "payments", "environment_suffix": "local"}}],
            },
            {"region": "us-west-2", "alias": "recovery"},
        ]
    },
    "resource": {
        "aws_vpc": {
            "here": {"cidr_block": "10.0.0.0/16"},
            "there": {"cidr_block": "10.1.0.0/16", "provider": "aws.recovery"},
        },
        "aws_vpc_peering_connection": {
            "peering": {
                "vpc_id": "${aws_vpc.here.id}",
                "peer_vpc_id": "${aws_vpc.there.id}",
                "peer_region": "us-west-2",
            }
        },
        "aws_vpc_peering_connection_accepter": {
            "peering": {
                "vpc_peering_connection_id": "${aws_vpc_peering_connection.peering.id}",
                "auto_accept": True,
                "provider": "aws.recovery",
            }
        },
        "aws_subnet": {
            "private": {
                "vpc_id": "${aws_vpc.here.id}",
                "cidr_block": "10.0.0.0/20",
                "availability_zone": "us-east-2a",
                "tags": {"tier": "private"},
            }
        },
        "aws_s3_bucket": {
            "here": {"bucket": "payments-documents-local-123456789012-us-east-2"},
            "there": {"bucket": "payments-documents-local-123456789012-us-west-2", "provider": "aws.recovery"},
        },
        "aws_s3_bucket_replication_configuration": {
            "documents": {
                "bucket": "${aws_s3_bucket.here.id}",
                "role": "${aws_iam_role.replication.arn}",
                "rule": [{"status": "Enabled", "destination": {"bucket": "${aws_s3_bucket.there.arn}"}}],
            }
        },
        "aws_iam_role": {
            "replication": {
                "name": "payments-replication-local",
                "assume_role_policy": json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "sts:AssumeRole",
                                "Principal": {"Service": "s3.amazonaws.com"},
                            }
                        ],
                    }
                ),
            }
        },
        "aws_ecs_cluster": {"main": {"name": "payments-cluster-local"}},
        "aws_ecs_task_definition": {
            "web": {
                "family": "payments-web-local",
                "cpu": "512",
                "memory": "1024",
                "network_mode": "awsvpc",
                "requires_compatibilities": ["FARGATE"],
                "container_definitions": json.dumps([{"name": "web", "image": "web", "essential": True}]),
            }
        },
        "aws_ecs_service": {
            "web": {
                "name": "payments-web-local",
                "cluster": "${aws_ecs_cluster.main.arn}",
                "task_definition": "${aws_ecs_task_definition.web.arn}",
                "desired_count": 2,
                "capacity_provider_strategy": [{"capacity_provider": "FARGATE_SPOT", "weight": 1}],
                "network_configuration": {"subnets": ["${aws_subnet.private.id}"]},
            }
        },
        "aws_appautoscaling_target": {
            "web": {
                "service_namespace": "ecs",
                "scalable_dimension": "ecs:service:DesiredCount",
                "resource_id": "service/payments-cluster-local/${aws_ecs_service.web.name}",
                "min_capacity": 2,
                "max_capacity": 9,
            }
        },
        "aws_sqs_queue": {
            "dead": {"name": "payments-dead-local"},
            "work": {
                "name": "payments-work-local",
                "redrive_policy": "${jsonencode({deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 3})}",
            },
        },
        "aws_cloudwatch_log_group": {
            "several": {"count": 2, "name": "/payments/local/${count.index}", "retention_in_days": 30}
        },
    },
}
