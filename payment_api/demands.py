"""The demands that the payment API was ordered with, row by row: the resources that keep each, and the tests.

`python -m payment_api.tables` writes docs/payment-api-demands.md from this. tests/payment_api/test_tables.py looks for
each resource in the template, and for each test. A row also says what no test here can show.
"""

from __future__ import annotations

from dataclasses import dataclass

REAL = "Only a real account shows it"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """A demand: what it asks for, types of resources, tests as FILE::NAME below tests/, and what they do not show."""

    asks: str
    resources: tuple[str, ...]
    tests: tuple[str, ...]
    open: str = ""


NETWORK, EDGE, RUNTIME = "payment_api/test_network.py", "payment_api/test_edge.py", "payment_api/test_runtime.py"
PERMISSIONS, DOCUMENTS = "payment_api/test_permissions.py", "payment_api/test_documents.py"
ENVIRONMENTS, DELETION = "payment_api/test_environments.py", "payment_api/test_deletion.py"
CONTRACT, SETTINGS = "payment_api/test_contract.py", "payment_api/test_settings.py"
PLAYED = "emulator/releases/test_service_deployments.py"
INTEGRATION, LIFE = "integration/test_payment_api.py", "lifecycle/test_payment_api.py"

DEMANDS = (
    Demand(
        asks="VPC in 3 zones, with public, private and database subnets, route tables, and NAT instances",
        resources=("AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::RouteTable", "AWS::EC2::Instance"),
        tests=(
            f"{NETWORK}::test_each_zone_has_a_subnet_of_each_tier_with_its_own_route_table",
            f"{NETWORK}::test_one_nat_instance_a_zone_is_hardened",
            f"{NETWORK}::test_a_nat_instance_tries_again_to_install_what_forwards",
        ),
        open=f"That a NAT instance forwards: {REAL.lower()}.",
    ),
    Demand(
        asks="Application Load Balancer with AWS WAF: own rule groups for SQL injection and cross-site scripting",
        resources=("AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::WAFv2::WebACL", "AWS::WAFv2::RuleGroup"),
        tests=(
            f"{EDGE}::test_own_rule_groups_block_attacks_in_every_part_of_a_request_decoded",
            f"{EDGE}::test_each_entry_point_has_a_web_acl_with_all_rules_and_a_redacted_log",
            f"{CONTRACT}::test_every_listener_forwards_every_path_of_the_contract_and_no_other",
        ),
        open="How many real requests the rules block by mistake.",
    ),
    Demand(
        asks="ECS on Fargate, scaled at 70 % of processor and 80 % of memory",
        resources=("AWS::ECS::Service", "AWS::ApplicationAutoScaling::ScalingPolicy"),
        tests=(
            f"{RUNTIME}::test_service_scales_at_70_percent_cpu_and_80_percent_memory",
            f"{CONTRACT}::test_health_check_path_is_a_path_of_the_service",
            f"{CONTRACT}::test_whatever_a_task_mounts_is_a_volume_of_the_image",
        ),
    ),
    Demand(
        asks="Aurora PostgreSQL with a writer and two readers, under a customer-managed key",
        resources=("AWS::RDS::DBCluster", "AWS::RDS::DBInstance"),
        tests=(f"{RUNTIME}::test_the_database_has_a_writer_and_two_readers_encrypted",),
        open="The readers stand by for a failover. The service reads from the writer: a list must have the payment "
        "that was just created.",
    ),
    Demand(
        asks="API Gateway with mutual TLS, 1,000 requests a second, usage plans and API keys",
        resources=("AWS::ApiGateway::DomainName", "AWS::ApiGateway::UsagePlan", "Custom::ApiKeys"),
        tests=(
            f"{EDGE}::test_mutual_tls_is_enforced_for_every_endpoint",
            f"{EDGE}::test_usage_plan_throttles_and_its_keys_are_in_no_template",
            f"{EDGE}::test_both_doors_overwrite_the_header_with_the_clients_certificate",
            "payments/test_certificates.py::test_key_is_valid_with_a_certificate_of_its_merchant_only",
            f"{CONTRACT}::test_the_gateway_serves_every_operation_of_the_contract_under_its_own_path",
            f"{LIFE}::test_deploy_verify_update_and_destroy",
        ),
        open=f"The path of a request through the VPC link, with the stage or without: {REAL.lower()}.",
    ),
    Demand(
        asks="Lambda functions behind SQS, with dead-letter queues and error handling",
        resources=("AWS::Lambda::EventSourceMapping", "AWS::SQS::Queue"),
        tests=(
            f"{RUNTIME}::test_every_function_alarms_on_errors_and_throttles",
            "processing/test_functions.py::test_pending_messages_are_batch_item_failures",
            "processing/test_crashes.py::test_worker_that_crashes_at_any_call_is_continued_by_the_next",
        ),
    ),
    Demand(
        asks="S3 for documents: lifecycle, versions, replication to another region",
        resources=("AWS::S3::Bucket",),
        tests=(
            f"{DOCUMENTS}::test_documents_are_versioned_encrypted_private_and_age",
            f"{DOCUMENTS}::test_each_version_and_each_deletion_is_replicated_under_the_replicas_key",
        ),
        open="The acquirer's settlement files are read from it; the service itself writes no documents yet.",
    ),
    Demand(
        asks="Secrets Manager, with rotation by Lambda",
        resources=("AWS::SecretsManager::RotationSchedule",),
        tests=(
            f"{RUNTIME}::test_secrets_are_imported_and_rotate_every_thirty_days",
            "rotation/test_api_key.py::test_replaced_key_is_kept_while_it_is_used_up_to_its_end",
            f"{EDGE}::test_no_resource_has_the_value_of_a_secret_that_rotates_but_the_database_from_its_creation",
        ),
        open="The acquirer's key is the acquirer's to rotate; peppers are rotated by hand.",
    ),
    Demand(
        asks="CloudWatch dashboard with own metrics: processing time and success rate; alarms that tell somebody",
        resources=("AWS::CloudWatch::Dashboard", "AWS::CloudWatch::Alarm", "AWS::SNS::Topic"),
        tests=(
            f"{RUNTIME}::test_the_dashboard_shows_processing_time_and_success_rate",
            "payment_api/test_alarm_topic.py::test_alarms_may_publish_to_their_topic_and_use_its_key",
        ),
    ),
    Demand(
        asks="VPC endpoints for S3, DynamoDB, ECR, Secrets Manager, and all communication with AWS",
        resources=("AWS::EC2::VPCEndpoint",),
        tests=(
            f"{NETWORK}::test_each_service_that_a_program_calls_has_an_endpoint_and_no_other_has",
            f"{NETWORK}::test_every_function_of_ours_is_in_the_private_tier",
        ),
        open="CDK's own two functions, which close the default group and empty buckets, are outside of the VPC.",
    ),
    Demand(
        asks="Outputs: load balancer, API endpoint, dashboard; cfn-outputs/flat-outputs.json",
        resources=("AWS::CloudWatch::Dashboard",),
        tests=(
            f"{RUNTIME}::test_stack_has_the_outputs_of_its_resources",
            "operations/test_payment_api.py::test_outputs_of_all_stacks_are_written_flat",
        ),
    ),
    Demand(
        asks="IAM instead of passwords at the database",
        resources=("AWS::RDS::DBCluster", "AWS::IAM::Policy"),
        tests=(
            f"{RUNTIME}::test_applications_log_in_by_iam_and_know_no_password",
            f"{LIFE}::test_deploy_verify_update_and_destroy",
        ),
    ),
    Demand(
        asks="All data at rest under customer-managed keys that rotate",
        resources=("AWS::KMS::Key",),
        tests=(
            f"{RUNTIME}::test_everything_that_keeps_data_is_under_a_key_of_ours",
            f"{DOCUMENTS}::test_every_key_is_customer_managed_and_rotates",
            "payment_api/test_made_by_aws.py::test_logs_of_aws_services_go_to_log_groups_of_the_stack",
            "payment_api/test_made_by_aws.py::test_task_storage_is_encrypted_under_a_customer_managed_key",
        ),
        open="Access logs are under S3's own key, as S3 delivers them to no other (ADR 0011).",
    ),
    Demand(
        asks="Mutual TLS at all endpoints",
        resources=("AWS::ApiGateway::DomainName", "AWS::ElasticLoadBalancingV2::TrustStore"),
        tests=(
            f"{EDGE}::test_mutual_tls_is_enforced_for_every_endpoint",
            f"{EDGE}::test_public_load_balancer_requires_certificates_of_the_pinned_trust_store",
        ),
    ),
    Demand(
        asks="S3 blocks public access, and encrypts under KMS",
        resources=("AWS::S3::Bucket",),
        tests=(
            f"{DOCUMENTS}::test_documents_are_versioned_encrypted_private_and_age",
            f"{DOCUMENTS}::test_every_bucket_refuses_requests_without_tls",
        ),
        open="Access logs are under S3's own key, as S3 delivers them to no other (ADR 0011).",
    ),
    Demand(
        asks="Region ap-southeast-1; Python; CDK 2.100 or later",
        resources=("AWS::EC2::VPC",),
        tests=(f"{SETTINGS}::test_each_environment_of_the_project_is_right_and_in_singapore",),
    ),
    Demand(
        asks="Least privilege",
        resources=("AWS::IAM::Role", "AWS::IAM::Policy"),
        tests=(
            f"{PERMISSIONS}::test_a_role_allows_every_call_of_its_program_and_the_use_of_keys_that_follows",
            f"{PERMISSIONS}::test_a_role_allows_nothing_that_its_program_does_not_call",
        ),
        open="rotate-api-key may read and delete any API key of the account: a list of keys takes no condition, and "
        "one on tags fails for minutes after a key was created.",
    ),
    Demand(
        asks="Audit logs for exactly 7 years",
        resources=("AWS::Logs::LogGroup", "AWS::CloudTrail::Trail"),
        tests=(f"{RUNTIME}::test_audit_logs_are_kept_for_exactly_seven_years",),
    ),
    Demand(
        asks="Tasks in private subnets without internet access",
        resources=("AWS::ECS::Service", "AWS::EC2::SecurityGroup"),
        tests=(f"{RUNTIME}::test_tasks_are_in_private_subnets_without_public_address_and_egress",),
    ),
    Demand(
        asks="The environment's suffix in all names; several environments in an account",
        resources=("AWS::SecretsManager::RotationSchedule",),
        tests=(
            f"{ENVIRONMENTS}::test_every_name_holds_the_suffix_and_every_taggable_resource_the_tag",
            f"{ENVIRONMENTS}::test_two_environments_of_one_account_share_nothing_that_one_alone_may_have",
            f"{SETTINGS}::test_identity_of_an_environment_is_not_inherited",
        ),
    ),
    Demand(
        asks="Fully destroyable; Retain only where it must be",
        resources=("Custom::S3AutoDeleteObjects", "Custom::ApiKeys"),
        tests=(
            f"{ENVIRONMENTS}::test_all_resources_are_deleted_with_the_stack_unless_protected",
            f"{DELETION}::test_workloads_are_created_after_their_routes_and_deleted_before_them",
            f"{DELETION}::test_cloudformation_waits_minutes_for_an_answer_and_no_hour",
            f"{LIFE}::test_deploy_verify_update_and_destroy",
        ),
    ),
    Demand(
        asks="Secrets are fetched, not created",
        resources=("AWS::SecretsManager::SecretTargetAttachment",),
        tests=(
            f"{ENVIRONMENTS}::test_no_secret_is_in_a_template",
            "operations/test_payment_api_preflight.py::test_empty_account_lacks_every_prerequisite",
        ),
    ),
    Demand(
        asks="Integration tests against deployed resources, by flat-outputs.json",
        resources=("AWS::CloudWatch::Dashboard",),
        tests=(
            f"{INTEGRATION}::test_every_resource_of_the_templates_exists",
            f"{LIFE}::test_deploy_verify_update_and_destroy",
        ),
        open="A payment is sent by the rehearsal alone, and by no integration test: it needs a merchant's key.",
    ),
    Demand(
        asks="10,000 concurrent transactions",
        resources=("AWS::ECS::Service", "AWS::Lambda::EventSourceMapping"),
        tests=(
            f"{SETTINGS}::test_every_environment_is_sized_for_ten_thousand_transactions",
            f"{SETTINGS}::test_sizes_that_ten_thousand_transactions_would_outgrow_are_refused",
        ),
        open="Computed, and measured of one process only.",
    ),
    Demand(
        asks="Deployments by canary with alarms that roll back",
        resources=("AWS::ECS::Service", "AWS::CloudWatch::Alarm"),
        tests=(
            "payment_api/test_canary.py::test_alarms_roll_back_and_are_raised_before_the_rest_of_the_traffic_follows",
            "payment_api/test_canary.py::test_every_load_balancer_shifts_between_two_target_groups_that_its_rules_have",
            "functions/test_smoke_test.py::test_hook_of_ecs_returns_the_result_and_asks_nothing_of_codedeploy",
            f"{PLAYED}::test_canary_gets_its_share_then_everything_and_the_next_goes_the_other_way",
            f"{PLAYED}::test_alarm_rolls_a_canary_back_and_one_that_rang_before_does_not",
        ),
        open=f"That ECS takes two load balancers with a pair of target groups each: {REAL.lower()} (ADR 0036). "
        "`make rehearse-api` plays a canary that passes and one that is rolled back.",
    ),
    Demand(
        asks="PCI DSS and OWASP Top 10",
        resources=("AWS::WAFv2::WebACL",),
        tests=(
            "payment_api/test_tables.py::test_each_risk_of_the_top_10_is_answered_by_rules_that_block_at_both_entries",
            "payment_api/test_tables.py::test_each_control_has_its_resources_in_both_systems_and_its_tests",
            "payment_api/test_checks.py::test_cdk_nag_packs_and_validation_ran_without_findings",
        ),
    ),
)

CURL = "curl --cert client.pem --key client.key"
DECIDED_BY_AWS = (
    (
        "The path of a request through the VPC link, with the stage or without",
        f"`{CURL} -H 'x-api-key: KEY' https://API_NAME/api/v1/payments`",
        "401 is right, of both forms of the path; 404 is not.",
    ),
    (
        "A header of a client in the name of the certificate's, at the load balancer",
        f"`{CURL} -H 'X-Client-Certificate: x' https://LOAD_BALANCER_NAME/api/v1/payments`, with a valid key",
        "200: it is overwritten. 401: it is added, and refused. Both are right.",
    ),
    (
        "A lower-case header of a client in the name of the certificate's, at the gateway",
        "The same with `x-client-certificate: x`, by `--http2`, at API_NAME",
        "As above.",
    ),
    (
        "A canary with two load balancers, behind listeners that answer 404 by default",
        "`make deploy-api` with another image; `aws ecs list-service-deployments`",
        "Refused: give the public load balancer's rule a service of its own (ADR 0036).",
    ),
    (
        "The circuit breaker in a canary deployment, which the API reference grants rolling deployments",
        "The same, with an image that ends at once",
        "Not ended by it: the smoke test's failure ends the deployment.",
    ),
)
"""What only a real account decides: the question, the command to try, and what each result means."""
