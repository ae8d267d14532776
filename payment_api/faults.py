"""What readers of the payment API have found, and the law that would notice each of its kind today.

`python -m payment_api.tables` writes docs/payment-api-faults.md from this, and tests/payment_api/test_tables.py looks
for each test. Ids are those of the review of 2026-11-28. ``outcome`` says what was changed, or why nothing was.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault: its id and what it was, what came of it, and its law's tests as FILE::NAME below tests/."""

    id: str
    was: str
    outcome: str
    tests: tuple[str, ...] = ()


CONTRACT, PERMISSIONS, RUNTIME = (f"payment_api/test_{one}.py" for one in ("contract", "permissions", "runtime"))
EDGE, NETWORK, DELETION = (f"payment_api/test_{one}.py" for one in ("edge", "network", "deletion"))
ENVIRONMENTS, SETTINGS, MADE = (f"payment_api/test_{one}.py" for one in ("environments", "settings", "made_by_aws"))
DOCUMENTS, CHECKS, TABLES = (f"payment_api/test_{one}.py" for one in ("documents", "checks", "tables"))
PREFLIGHT = "operations/test_payment_api_preflight.py::test_empty_account_lacks_every_prerequisite"
KEYS, LIFE = "rotation/test_api_key.py", "lifecycle/test_payment_api.py::test_deploy_verify_update_and_destroy"
ROLE = f"{PERMISSIONS}::test_a_role_allows_every_call_of_its_program_and_the_use_of_keys_that_follows"
PLAYED = "emulator/releases/test_service_deployments.py"
MENDED, REFUSED = "Mended", "Refused"

FAULTS = (
    Fault(
        id="B1",
        was="Gateway, listeners and health check ask for paths that the service does not have",
        outcome=f"{MENDED}: all from the service's openapi.json",
        tests=(
            f"{CONTRACT}::test_the_gateway_serves_every_operation_of_the_contract_under_its_own_path",
            f"{CONTRACT}::test_every_listener_forwards_every_path_of_the_contract_and_no_other",
            f"{CONTRACT}::test_health_check_path_is_a_path_of_the_service",
        ),
    ),
    Fault(
        id="B2",
        was="No role may decrypt imported secrets (aws/aws-cdk#10160, #20087)",
        outcome=f"{MENDED}: whole statements, with kms:ViaService",
        tests=(ROLE,),
    ),
    Fault(id="B3", was="Rotation may not list a secret's versions", outcome=MENDED, tests=(ROLE,)),
    Fault(
        id="B4",
        was="A name that ends like a partial ARN's suffix is not found (coverage-roadmap#1187)",
        outcome=f"{MENDED}: secrets are read by name, and such names are refused",
        tests=(f"{SETTINGS}::test_a_wrong_value_is_one_line_that_says_what_is_allowed",),
    ),
    Fault(
        id="B5",
        was="A secret is attached twice (aws/aws-cdk#11040, #24657)",
        outcome=MENDED,
        tests=(f"{RUNTIME}::test_a_secret_is_attached_to_one_database_once",),
    ),
    Fault(
        id="B6",
        was="The private integration's target is a listener, not the load balancer (aws/aws-cdk#36247)",
        outcome=f"{MENDED}, with an internal load balancer; its path by the stage is decided by a real account",
        tests=(f"{EDGE}::test_every_method_needs_a_key_and_is_validated_and_goes_to_the_internal_load_balancer",),
    ),
    Fault(
        id="B7",
        was="Destruction and rollback wait an hour for a custom resource that cannot answer",
        outcome=f"{MENDED}: not asked on Delete, or with its way still there; minutes of timeout",
        tests=(
            f"{DELETION}::test_custom_resource_without_a_delete_action_is_not_invoked_on_delete",
            f"{DELETION}::test_workloads_are_created_after_their_routes_and_deleted_before_them",
            f"{DELETION}::test_cloudformation_waits_minutes_for_an_answer_and_no_hour",
        ),
    ),
    Fault(
        id="B8",
        was="The container cannot write /tmp (aws/containers-roadmap#938)",
        outcome=f"{MENDED}: a VOLUME of the image",
        tests=(f"{CONTRACT}::test_whatever_a_task_mounts_is_a_volume_of_the_image",),
    ),
    Fault(
        id="B9",
        was="A fresh account has no CloudWatch role of API Gateway (aws/aws-cdk#10722)",
        outcome=f"{MENDED}: the owner of the account makes it, others look for it",
        tests=(
            f"{EDGE}::test_the_owner_of_the_account_makes_the_role_that_logs_and_no_other_environment_does",
            PREFLIGHT,
        ),
    ),
    Fault(
        id="B10",
        was="A pull request's environment takes over staging's secrets",
        outcome=f"{MENDED}: names by the suffix; inherited ones are refused",
        tests=(
            f"{SETTINGS}::test_identity_of_an_environment_is_not_inherited",
            f"{ENVIRONMENTS}::test_two_environments_of_one_account_share_nothing_that_one_alone_may_have",
        ),
    ),
    Fault(
        id="M1",
        was="The rate limit by address counts the VPC link's as one client",
        outcome=MENDED,
        tests=(f"{EDGE}::test_no_rate_limit_by_address_counts_requests_through_the_vpc_link",),
    ),
    Fault(
        id="M2",
        was="The stack holds a key that rotation deletes (aws/aws-cdk#12745)",
        outcome=f"{MENDED}: the function makes all keys",
        tests=(
            f"{EDGE}::test_usage_plan_throttles_and_its_keys_are_in_no_template",
            f"{KEYS}::test_stack_makes_the_current_key_whenever_it_is_asked_and_deletes_all_of_its_own",
        ),
    ),
    Fault(
        id="M3",
        was="Logs and storage that AWS makes by itself have no key and no end",
        outcome=MENDED,
        tests=(
            f"{MADE}::test_logs_of_aws_services_go_to_log_groups_of_the_stack",
            f"{MADE}::test_every_function_has_a_log_group_of_the_stack",
            f"{MADE}::test_task_storage_is_encrypted_under_a_customer_managed_key",
        ),
    ),
    Fault(
        id="M4",
        was="The rotation of keys is outside of the VPC",
        outcome=f"{MENDED}: the endpoint of API Gateway's own API",
        tests=(
            f"{NETWORK}::test_every_function_of_ours_is_in_the_private_tier",
            f"{NETWORK}::test_each_service_that_a_program_calls_has_an_endpoint_and_no_other_has",
        ),
    ),
    Fault(
        id="M5",
        was="Anybody with a certificate may refund anything",
        outcome=f"{MENDED}: merchants, and keys that are valid with their certificate alone",
        tests=(
            "payments/test_certificates.py::test_key_is_valid_with_a_certificate_of_its_merchant_only",
            f"{EDGE}::test_both_doors_overwrite_the_header_with_the_clients_certificate",
        ),
    ),
    Fault(
        id="M6",
        was="The limits of 10,000 transactions contradict each other",
        outcome=f"{MENDED}: bounds for every setting; measured of one process only",
        tests=(
            f"{SETTINGS}::test_sizes_that_ten_thousand_transactions_would_outgrow_are_refused",
            f"{SETTINGS}::test_every_environment_is_sized_for_ten_thousand_transactions",
        ),
    ),
    Fault(
        id="M7",
        was="Overrides do not create a deployment of the API (aws/aws-cdk#9086)",
        outcome=MENDED,
        tests=(f"{EDGE}::test_change_of_a_method_a_model_or_the_link_creates_a_deployment",),
    ),
    Fault(
        id="M8",
        was="Alarms tell nobody",
        outcome=f"{MENDED}: an address where protected, every function, and a topic to which alarms may publish: CDK's "
        "policy against plain HTTP had taken the place of the default one, by which they may",
        tests=(
            f"{RUNTIME}::test_every_function_alarms_on_errors_and_throttles",
            "payment_api/test_alarm_topic.py::test_alarms_may_publish_to_their_topic_and_use_its_key",
        ),
    ),
    Fault(
        id="M9",
        was="The integration tests cannot pass on AWS",
        outcome=f"{MENDED}: they read what any deployment wrote",
        tests=("integration/test_payment_api.py::test_every_resource_of_the_templates_exists", LIFE),
    ),
    Fault(
        id="M10",
        was="Quotas and placeholders are noticed in the middle of a creation",
        outcome=f"{MENDED}: one list, read before",
        tests=(
            PREFLIGHT,
            "operations/test_payment_api_preflight.py::test_settings_with_placeholders_are_refused_before_any_aws_call",
        ),
    ),
    Fault(
        id="M11",
        was="A NAT instance tries once to install what forwards (aws/aws-cdk#36717)",
        outcome=MENDED,
        tests=(f"{NETWORK}::test_a_nat_instance_tries_again_to_install_what_forwards",),
    ),
    Fault(
        id="m2, m3",
        was="Acknowledgements of cdk-nag say what is not so",
        outcome=MENDED,
        tests=(
            f"{CHECKS}::test_every_acknowledgement_is_of_a_finding",
            f"{CHECKS}::test_every_acknowledgement_has_a_reason",
        ),
    ),
    Fault(
        id="m4",
        was="rotate-api-key may read and delete every API key of the account",
        outcome=f"{REFUSED}: a list of keys takes no condition, and tags count some minutes after a key's creation: "
        "the rollback of a creation would be refused the deletion of its key, and hang. The function touches "
        "keys of its own name alone",
        tests=(f"{KEYS}::test_keys_of_others_are_left_alone",),
    ),
    Fault(
        id="m5",
        was="The replica's stack has no termination protection",
        outcome=MENDED,
        tests=(f"{ENVIRONMENTS}::test_all_resources_are_deleted_with_the_stack_unless_protected",),
    ),
    Fault(
        id="m8",
        was="The OWASP table is of 2021",
        outcome=MENDED,
        tests=(f"{TABLES}::test_the_top_10_has_ten_rows",),
    ),
    Fault(
        id="m9",
        was="The gateway's models are stricter than the service",
        outcome=f"{MENDED}: made of the service's own",
        tests=(f"{CONTRACT}::test_the_gateway_takes_and_refuses_the_bodies_that_the_service_does",),
    ),
    Fault(
        id="m11",
        was="A plain cdk destroy leaves keys whose values refuse the next creation",
        outcome=MENDED,
        tests=(f"{KEYS}::test_stack_makes_the_current_key_whenever_it_is_asked_and_deletes_all_of_its_own",),
    ),
    Fault(
        id="m12",
        was="Nobody is told of a function that fails",
        outcome=MENDED,
        tests=(f"{RUNTIME}::test_every_function_alarms_on_errors_and_throttles",),
    ),
    Fault(
        id="m13",
        was="Nobody may read or write a document, and nobody reads from the readers",
        outcome=f"{MENDED} for documents: settlement files are read from the bucket. The readers are for failover, "
        "as a list must have the payment that was just created; said in docs/payment-api-demands.md",
        tests=(ROLE,),
    ),
    Fault(
        id="m14",
        was="A VPC link without requests for 60 days is inactive, and the first requests fail",
        outcome=f"{REFUSED}: it concerns environments that nobody calls; how to call one first is in "
        "docs/runbooks/payment-api.md",
    ),
    Fault(
        id="reports",
        was="Public reports of the same kinds: mount of a volume, endless Delete, role of the account, target of the "
        "link, hash of overrides, keys, logs, NAT at first boot",
        outcome=f"{MENDED} with B1 to M11",
        tests=(LIFE,),
    ),
    Fault(
        id="P6.7",
        was="A canary deployment was stored by the local AWS, and nothing shifted",
        outcome=f"{MENDED}: stages, hook, alarms and rollback are played",
        tests=(
            f"{PLAYED}::test_canary_gets_its_share_then_everything_and_the_next_goes_the_other_way",
            f"{PLAYED}::test_alarm_rolls_a_canary_back_and_one_that_rang_before_does_not",
        ),
    ),
)
