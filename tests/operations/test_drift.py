"""Drift: what AWS has otherwise than the state, by a real plan, which reads no secret and leaves the state alone.

With the real provider, as what it reads of which resource is the point.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from emulator import process
from emulator.record import read_calls
from operations.deployment import drift
from operations.deployment.provider_mirror import find_installation, required_providers
from operations.deployment.terraform import Terraform
from operations.preflight import terraform_platform
from operations.review.drift import without
from operations.review.plan import read
from tests.emulator.support import client_for

pytestmark = pytest.mark.requirement("W8.10")

BUCKET, KEY, QUEUE, SECRET = "drift-state-us-east-2", "state", "drifting", "drifting/secret"
CONFIGURATION = {
    "terraform": {
        "backend": {"s3": {"bucket": BUCKET, "key": KEY, "region": "us-east-2", "use_lockfile": True}},
        "required_providers": {"aws": {"source": "hashicorp/aws", "version": "5.100.0"}},
    },
    "provider": {"aws": [{"region": "us-east-2"}]},
    "resource": {
        "aws_sqs_queue": {"queue": {"name": QUEUE, "visibility_timeout_seconds": 30}},
        "aws_secretsmanager_secret": {"secret": {"name": SECRET}},
        "aws_secretsmanager_secret_version": {
            "version": {
                "secret_id": "${aws_secretsmanager_secret.secret.id}",
                "secret_string_wo": "of-nobody",
                "secret_string_wo_version": 1,
            }
        },
    },
}


@pytest.fixture
def terraform(local_aws: process.Server, tmp_path: Path) -> Terraform:
    file = tmp_path / "cdk.tf.json"
    file.write_text(json.dumps(CONFIGURATION), encoding="utf-8")
    client_for(local_aws)("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-east-2"}
    )
    variables = process.complete_environment(local_aws.url)
    providers = required_providers(file, terraform_platform())
    installation = find_installation(providers, variables, tmp_path / "terraform.tfrc")
    made = Terraform(tmp_path, installation.environment(variables), Console(file=io.StringIO(), width=200))
    made.init()
    made.apply()
    return made


def differences(terraform: Terraform) -> dict[str, Any]:
    with drift.planned(terraform) as (planned, hidden):
        plan = without(read(planned.as_json(), "drifting"), hidden)
    return {one.address: str(one.action) for one in plan.changes}


def test_drift_is_found_without_reading_a_secret_or_touching_the_state(
    terraform: Terraform, local_aws: process.Server
) -> None:
    make = client_for(local_aws)
    stored = make("s3").get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    before = len(read_calls(local_aws.directory))
    sqs = make("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "77"})
    assert differences(terraform) == {"aws_sqs_queue.queue": "update"}
    made = {f"{call.service}:{call.operation}" for call in read_calls(local_aws.directory)[before:]}
    assert "secretsmanager:DescribeSecret" in made
    assert "secretsmanager:GetSecretValue" not in made
    assert make("s3").get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == stored
    assert [one["Key"] for one in make("s3").list_objects_v2(Bucket=BUCKET)["Contents"]] == [KEY]
