"""Resource types of the stack that another's attribute refers to, where AWS does not refuse the deletion.

A type that is refused in another file here names those of its users that do not hold it; any other type none holds.
``says`` is a sentence of the operation's documentation in AWS's published model. Where it is empty, the model has no
error of the operation that says that something is in use.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """A deletion that succeeds while ``by`` refer to the resource; empty for all that do."""

    operation: str
    says: str = ""
    by: tuple[str, ...] = ()


REPRESENTED_BY = {
    "aws_acm_certificate_validation": "aws_acm_certificate",
    "aws_vpc_peering_connection_accepter": "aws_vpc_peering_connection",
}
"""Resources of the provider that are no resource of AWS's: a wait, and the other end of the same connection."""
NOTHING = {
    "aws_lambda_invocation": "a call; what it made, a CloudFront function and a rule group, is among the refusals",
}

ALLOWED = {
    "aws_acm_certificate": Allowed(
        operation="acm:DeleteCertificate",
        says="You cannot delete an ACM certificate that is being used by another Amazon Web Services service.",
        by=("aws_acm_certificate_validation", "aws_cloudwatch_metric_alarm", "aws_route53_record"),
    ),
    "aws_appautoscaling_target": Allowed(
        operation="application-autoscaling:DeregisterScalableTarget",
        says="Deregistering a scalable target deletes the scaling policies and the scheduled actions",
    ),
    "aws_backup_vault": Allowed(
        operation="backup:DeleteBackupVault",
        says="A vault can be deleted only if it is empty.",
    ),
    "aws_cloudfront_distribution": Allowed(
        operation="cloudfront:DeleteDistribution",
        says="Before you can delete a distribution, you must disable it",
    ),
    "aws_cloudwatch_event_rule": Allowed(
        operation="events:DeleteRule",
        says="Before you can delete the rule, you must remove all targets, using RemoveTargets.",
        by=("aws_lambda_permission",),
    ),
    "aws_cloudwatch_log_group": Allowed(operation="logs:DeleteLogGroup"),
    "aws_cloudwatch_metric_alarm": Allowed(
        operation="cloudwatch:DeleteAlarms",
        says="Deletes the specified alarms.",
        by=("aws_codedeploy_deployment_group",),
    ),
    "aws_codedeploy_app": Allowed(operation="codedeploy:DeleteApplication"),
    "aws_config_configuration_recorder": Allowed(operation="config:DeleteConfigurationRecorder"),
    "aws_ecr_repository": Allowed(
        operation="ecr:DeleteRepository",
        says="If the repository isn't empty, you must either delete the contents of the repository or use the force",
        by=("aws_ecr_lifecycle_policy",),
    ),
    "aws_ecs_cluster": Allowed(
        operation="ecs:DeleteCluster",
        says="You must deregister all container instances from this cluster before you may delete it.",
        by=("aws_codedeploy_deployment_group", "aws_ecs_cluster_capacity_providers"),
    ),
    "aws_ecs_service": Allowed(
        operation="ecs:DeleteService",
        says="You can delete a service if you have no running tasks in it and the desired task count is zero.",
        by=("aws_appautoscaling_target", "aws_codedeploy_deployment_group"),
    ),
    "aws_ecs_task_definition": Allowed(
        operation="ecs:DeregisterTaskDefinition",
        says="Existing tasks and services that reference an INACTIVE task definition continue to run",
    ),
    "aws_guardduty_detector": Allowed(operation="guardduty:DeleteDetector"),
    "aws_iam_role": Allowed(
        operation="iam:DeleteRole",
        says="Deleting a role or instance profile that is associated with a running instance will break",
        by=(
            "aws_backup_restore_testing_selection",
            "aws_backup_selection",
            "aws_cloudtrail",
            "aws_cloudwatch_event_target",
            "aws_codedeploy_deployment_group",
            "aws_config_configuration_recorder",
            "aws_ecs_task_definition",
            "aws_flow_log",
            "aws_lambda_function",
            "aws_rds_cluster",
            "aws_rds_cluster_instance",
            "aws_s3_bucket_replication_configuration",
            "aws_sfn_state_machine",
        ),
    ),
    "aws_internet_gateway": Allowed(
        operation="ec2:DetachInternetGateway",
        says="The VPC must not contain any running instances with Elastic IP addresses or public IPv4 addresses.",
        by=("aws_route",),
    ),
    "aws_kms_key": Allowed(
        operation="kms:ScheduleKeyDeletion",
        says="When a KMS key is deleted, all data that was encrypted under the KMS key is unrecoverable.",
    ),
    "aws_lambda_function": Allowed(
        operation="lambda:DeleteFunction",
        says="To delete Lambda event source mappings that invoke a function, use DeleteEventSourceMapping.",
    ),
    "aws_lb": Allowed(
        operation="elbv2:DeleteLoadBalancer", says="Deleting a load balancer also deletes its listeners."
    ),
    "aws_lb_listener": Allowed(operation="elbv2:DeleteListener", says="Deletes the specified listener."),
    "aws_lb_target_group": Allowed(
        operation="elbv2:DeleteTargetGroup",
        says="You can delete a target group if it is not referenced by any actions.",
        by=(
            "aws_appautoscaling_policy",
            "aws_cloudwatch_metric_alarm",
            "aws_codedeploy_deployment_group",
            "aws_ecs_service",
        ),
    ),
    "aws_nat_gateway": Allowed(
        operation="ec2:DeleteNatGateway",
        says="Deleting a NAT gateway does not delete any NAT gateway routes in your route tables.",
    ),
    "aws_rds_cluster": Allowed(
        operation="rds:DeleteDBCluster",
        says="When you delete a DB cluster, all automated backups for that DB cluster are deleted",
        by=(
            "aws_appautoscaling_policy",
            "aws_appautoscaling_target",
            "aws_backup_restore_testing_selection",
            "aws_backup_selection",
            "aws_cloudwatch_dashboard",
            "aws_cloudwatch_metric_alarm",
            "aws_ecs_task_definition",
            "aws_lambda_function",
            "aws_secretsmanager_secret_version",
        ),
    ),
    "aws_route53_health_check": Allowed(
        operation="route53:DeleteHealthCheck",
        says="Amazon Route 53 does not prevent you from deleting a health check even if the health check is associated",
    ),
    "aws_route53_record": Allowed(operation="route53:ChangeResourceRecordSets"),
    "aws_route_table": Allowed(
        operation="ec2:DeleteRouteTable",
        says="You must disassociate the route table from any subnets before you can delete it.",
        by=("aws_route", "aws_vpc_endpoint"),
    ),
    "aws_s3_bucket": Allowed(
        operation="s3:DeleteBucket",
        says="All objects (including all object versions and delete markers) in the bucket must be deleted",
    ),
    "aws_secretsmanager_secret": Allowed(operation="secretsmanager:DeleteSecret"),
    "aws_sfn_state_machine": Allowed(operation="stepfunctions:DeleteStateMachine"),
    "aws_sns_topic": Allowed(operation="sns:DeleteTopic", says="Deletes a topic and all its subscriptions."),
    "aws_sqs_queue": Allowed(
        operation="sqs:DeleteQueue",
        says="Deletes the queue specified by the QueueUrl, regardless of the queue's contents.",
    ),
    "aws_subnet": Allowed(
        operation="ec2:DeleteSubnet",
        says="You must terminate all running instances in the subnet before you can delete the subnet.",
        by=("aws_db_subnet_group", "aws_network_acl", "aws_route_table_association"),
    ),
    "aws_vpc": Allowed(
        operation="ec2:DeleteVpc",
        says="When you delete the VPC, it deletes the default security group, network ACL, and route table",
        by=(
            "aws_default_network_acl",
            "aws_default_route_table",
            "aws_default_security_group",
            "aws_flow_log",
            "aws_lb_target_group",
        ),
    ),
    "aws_vpc_endpoint": Allowed(
        operation="ec2:DeleteVpcEndpoints",
        says="When you delete a gateway endpoint, we delete the endpoint routes in the route tables for the endpoint.",
    ),
    "aws_vpc_peering_connection": Allowed(
        operation="ec2:DeleteVpcPeeringConnection",
        says="can delete the VPC peering connection if it's in the active state.",
    ),
    "aws_wafv2_web_acl": Allowed(
        operation="wafv2:DeleteWebACL",
        says="Before deleting any web ACL, first disassociate it from all resources.",
        by=("aws_wafv2_web_acl_logging_configuration",),
    ),
}
