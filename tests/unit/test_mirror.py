"""The test of a module is where one guesses: modules/ingress/firewall.py's is tests/unit/ingress/test_firewall.py."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MODULES, UNIT = PROJECT / "modules", PROJECT / "tests" / "unit"
# What else tests/unit holds, a folder each.
BESIDE_MODULES = {"settings", "stacks", "synthesis"}
# Modules, or packages of them, without a file of tests of their own: where they are tested, and why there.
TESTED_ELSEWHERE = {
    "backup/recovery_plan.py": (
        ("tests/platform/test_writer.py::test_each_cluster_that_may_have_the_writer_is_backed_up_in_its_own_region"),
        "it is seen beside the other region's: each cluster that may have the writer has a plan where it is",
    ),
    "database/enhanced_monitoring_log.py": (
        "tests/unit/account/test_audit.py::test_each_part_can_be_left_to_the_account",
        "the log group is the account's, not the database's, and settings.audit says who makes it",
    ),
    "database/prerequisites.py": (
        "tests/unit/database/test_standby.py::test_snapshots_need_the_prerequisites_of_a_cluster_and_no_cluster",
        "it is seen by itself only where there is no cluster yet; else as what the cluster refers to",
    ),
    "delivery/permissions": (
        "tests/policy/test_delivery_grants.py::test_every_action_is_granted_once_and_unrehearsed_ones_have_a_reason",
        "policies are held by what they allow and deny, with the evaluator of iam/",
    ),
    "delivery/permissions_boundary.py": (
        "tests/policy/test_permissions_boundary.py::test_boundary_allows_every_action_that_a_roles_policies_allow",
        "policies are held by what they allow and deny, with the evaluator of iam/",
    ),
    "ingress/edge_alarms.py": (
        "tests/unit/monitoring/test_alarms.py::test_alarm_thresholds_are_settings",
        "alarms of all modules are held together: their bounds here, that none is missing in tests/platform",
    ),
    "ingress/firewall_statements.py": (
        "tests/unit/ingress/test_firewall.py::test_requests_with_a_credential_are_limited_by_it_and_changing_ones_by_the_address",
        "statements are seen in the web ACL's rules, by what the local AWS decides with them",
    ),
    "ingress/region_alarms.py": (
        (
            "tests/platform/test_alarms.py"
            "::test_every_cluster_load_balancer_certificate_gateway_and_health_check_is_watched"
        ),
        "alarms of all modules are held together: none is missing",
    ),
    "logs.py": (
        "tests/platform/test_log_groups.py::test_every_log_group_is_kept_exactly_thirty_days_and_encrypted",
        "a constant; the test holds every log group of the stack against its value",
    ),
    "monitoring/metrics.py": (
        "tests/unit/payments/test_alarms.py::test_payment_alarms_use_the_metrics_that_the_service_writes",
        "a record that alarms, dashboards and scaling are made with",
    ),
    "policy_documents.py": (
        "tests/iam/test_synthesized.py::test_services_assume_roles_on_behalf_of_this_account_only",
        "short forms of statements, which all policies are written with and held by in tests/iam",
    ),
    "queues/event_queue.py": (
        "tests/unit/backup/test_plan.py::test_a_job_of_this_environment_that_fails_goes_to_a_queue_that_alarms",
        "a queue is one with the rule that fills it",
    ),
    "services/services.py": (
        ("tests/unit/services/test_scaling.py::test_recovery_region_has_standby_tasks_and_can_scale_to_all"),
        "it makes what the other modules of its package are, for each service of the settings",
    ),
    "statement_blocks.py": (
        "tests/policy/test_hcl.py::test_hcl_has_every_block_of_the_json",
        "HCL is held as a whole: by its blocks, and by Terraform",
    ),
}


def modules() -> list[str]:
    return sorted(str(path.relative_to(MODULES)) for path in MODULES.rglob("*.py") if path.name != "__init__.py")


def own_file(module: str) -> Path:
    path = UNIT / module
    return path.with_name(f"test_{path.name}")


@pytest.mark.parametrize("module", modules())
def test_each_module_has_a_test_file_or_names_another(module: str) -> None:
    elsewhere = [path for path in (module, *map(str, Path(module).parents)) if path in TESTED_ELSEWHERE]
    assert len(elsewhere) == (0 if own_file(module).exists() else 1)


@pytest.mark.parametrize("module", TESTED_ELSEWHERE)
def test_modules_tested_elsewhere_exist_with_their_tests(module: str) -> None:
    assert (MODULES / module).exists()
    file, _, test = TESTED_ELSEWHERE[module][0].partition("::")
    tree = ast.parse((PROJECT / file).read_text())
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_file_of_tests_has_its_module() -> None:
    expected = {own_file(module) for module in modules()} | {Path(__file__)}
    found = {path for path in UNIT.rglob("test_*.py") if path.relative_to(UNIT).parts[0] not in BESIDE_MODULES}
    assert len(found) > len(TESTED_ELSEWHERE)
    assert found <= expected, sorted(found - expected)
