"""Step Functions: execution of state machines by moto's interpreter of the Amazon States Language, on the local clock.

moto has the interpreter (LocalStack's), but does not use it by default. Here its AWS calls have the role of the state
machine, errors have the names of Step Functions' SDK integrations, and waits use the local clock.
"""

from __future__ import annotations

import functools
import json
import threading
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import settings
from moto.core.config import default_user_config
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.responses import StepFunctionResponse

from emulator.address import HOST
from emulator.authorization import callers
from emulator.clock import CLOCK
from emulator.moto.extend import Method, add, override
from emulator.turns import turn

SECONDS_PER_MINUTE = 60

# botocore's sessions are not thread-safe.
_session_lock = threading.Lock()

default_user_config["stepfunctions"]["execute_state_machine"] = True
# Retries wait by the clock.
retrier_decl.time = SimpleNamespace(sleep=lambda seconds: CLOCK.wait(seconds / SECONDS_PER_MINUTE, lambda: False))


@add(StepFunctionResponse)
def validate_state_machine_definition(self: Any) -> ActionResult:
    """Parse the definition: Terraform validates it while it plans."""
    try:
        AmazonStateLanguageParser.parse(self._get_param("definition"))
    except Exception as flaw:  # noqa: BLE001 (whatever the parser fails with is what is wrong)
        diagnostic = {"severity": "ERROR", "code": "INVALID_DEFINITION", "message": repr(flaw)}
        return ActionResult({"result": "FAIL", "diagnostics": [diagnostic], "truncated": False})
    return ActionResult({"result": "OK", "diagnostics": [], "truncated": False})


@add(StepFunctionResponse)
def list_state_machine_versions(self: Any) -> ActionResult:
    """Answer the versions that were published, the newest first."""
    machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
    versions = sorted(machine.versions.values(), key=lambda one: -int(one.version))
    listed = [{"stateMachineVersionArn": one.arn, "creationDate": one.creation_date} for one in versions]
    return ActionResult({"stateMachineVersions": listed})


@override(WaitFunction)
def _wait_interval(_original: Method, _self: Any, env: Any, wait_seconds: float) -> None:
    """Wait by the clock, unless the execution ends meanwhile."""
    CLOCK.wait(wait_seconds / SECONDS_PER_MINUTE, lambda: not env.is_running())


@override(Program)
def eval(_original: Method, self: Any, env: Any) -> None:  # noqa: A001 (it replaces the class's own)
    """Run the workflow; if it has a timeout and is not over by then, it has timed out."""
    env.next_state_name = self.start_at.start_at_name
    thread = threading.Thread(target=super(Program, self).eval, args=(env,), daemon=True)
    thread.start()
    if self.timeout_seconds is None:
        thread.join()
        return
    minutes = self.timeout_seconds.timeout_seconds / SECONDS_PER_MINUTE
    if not CLOCK.wait(minutes, lambda: not thread.is_alive()):
        env.set_timed_out()


@override(StateTaskServiceAwsSdk)
def _from_error(original: Method, self: Any, env: Any, ex: Exception) -> Any:
    """Name errors as AWS does, after the Java SDK: IamRoleNotFoundFault of RDS is Rds.IamRoleNotFoundException.

    Errors that the service's model does not list have one name: Rds.RdsException.
    https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
    """
    if not isinstance(ex, ClientError):
        return original(self, env, ex)
    service = self.resource.api_name.capitalize()
    own = type(ex).__name__
    name = service if own == "ClientError" else own.removesuffix("Fault")
    cause = f"{ex.response['Error']['Code']}: {ex.response['Error']['Message']}"
    return self._get_task_failure_event(
        env=env, error=f"{service}.{name.removesuffix('Exception')}Exception", cause=cause
    )


@override(StateTaskServiceAwsSdk)
def _eval_service_task(
    _original: Method, self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, **_others: Any
) -> None:
    """Call AWS as the machine's role, once: its retries are the definition's. Members are named as in the Java SDK."""
    details = env.aws_execution_details
    client = _client(self._get_boto_service_name(), resource_runtime_part.region, details.role_arn)
    action = self._get_boto_service_action()
    operation = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[action])
    self._to_boto_request(normalised_parameters, operation.input_shape)
    response = getattr(client, action)(**normalised_parameters)
    response.pop("ResponseMetadata", None)
    self._from_boto_response(response, operation.output_shape)
    env.stack.append(json.loads(to_json_str(response)))  # with times as text


def _client(service: str, region: str, role_arn: str) -> Any:
    with turn():
        role = callers.new_session(role_arn, "states", region=region)
    with _session_lock:
        return _session().create_client(
            service,
            region,
            aws_access_key_id=role.access_key_id,
            aws_secret_access_key=role.secret_access_key,
            aws_session_token=role.session_token,
            endpoint_url=f"http://{HOST}:{settings.moto_server_port()}",
            config=Config(proxies={}, retries={"total_max_attempts": 1}),
        )


@functools.cache
def _session() -> botocore.session.Session:
    """One for all clients: it holds the models, which take long to load."""
    return botocore.session.Session()
