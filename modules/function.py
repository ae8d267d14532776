"""Lambda function (Q2): code, role, log group, network, failure destination and alarm.

Creates the function from its folder of lambda/, its log group, and a role that may write to it and has the statements
of the caller; on request also a security group in the private tier, X-Ray tracing, a queue for the events of
asynchronous invocations that failed, and an alarm on errors and throttles (W5.2).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from cdktf import AssetType, ITerraformDependable, TerraformAsset, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.lambda_function import (
    LambdaFunction,
    LambdaFunctionEnvironment,
    LambdaFunctionLoggingConfig,
    LambdaFunctionTracingConfig,
    LambdaFunctionVpcConfig,
)
from cdktf_cdktf_provider_aws.lambda_function_event_invoke_config import (
    LambdaFunctionEventInvokeConfig,
    LambdaFunctionEventInvokeConfigDestinationConfig,
    LambdaFunctionEventInvokeConfigDestinationConfigOnFailure,
)
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from constructs import Construct

from modules.logs import RETENTION_DAYS
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm, Incident
from modules.monitoring.metrics import MINUTE, Metric
from modules.network.security_groups import Group
from modules.network.vpc import Network
from modules.policy_documents import PolicyDocument, Statement, trust, when
from modules.region import Region
from settings.naming import Names
from synthesis.packaging import CACHE, FUNCTIONS, package, sha256_of

RUNTIME = "python3.13"
ARCHITECTURE = "arm64"
# As AWSLambdaVPCAccessExecutionRole, less reads.
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaVPCAccessExecutionRole.html
NETWORK_INTERFACES = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
]


@dataclass(frozen=True, kw_only=True)
class Code:
    """Zip of a folder of lambda/ and its digest, made once in a stack and shared by the functions of all regions."""

    asset: TerraformAsset
    sha256: str

    @classmethod
    def of(cls, scope: Construct, folder: str) -> Code:
        """Code of a folder, in the stack that ``scope`` belongs to."""
        stack = TerraformStack.of(scope)
        made = _CODES.setdefault(stack, {})
        if folder not in made:
            archive = package(FUNCTIONS / folder, CACHE / f"{folder}.zip")
            digest = sha256_of(archive)
            made[folder] = cls(
                asset=TerraformAsset(
                    stack, f"code-{folder}", path=str(archive), type=AssetType.FILE, asset_hash=digest.hex().upper()
                ),
                sha256=base64.b64encode(digest).decode(),
            )
        return made[folder]


_CODES: WeakKeyDictionary[TerraformStack, dict[str, Code]] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class FunctionSpecification:
    """Properties of a function that are the same in every region.

    ``purpose`` is part of its resources' names and, with underscores, the name of its folder in lambda/. ``title``
    names it in sentences: "smoke test of releases". ``reserved_concurrency`` is taken from the account's concurrency:
    the function never has less and never more. ``attempts`` counts the tries of an asynchronous invocation.
    The alarm begins with ``failing_calls`` errors or throttles within ``failing_minutes``.
    """

    purpose: str
    title: str
    description: str
    timeout_seconds: int
    memory_mib: int = 256
    reserved_concurrency: int | None = None
    traced: bool = False
    attempts: int = 3
    oldest_event_seconds: int = 6 * 3600
    failing_calls: int = 1
    failing_minutes: int = 5
    variables: Mapping[str, str] = field(default_factory=dict)


class Function(Construct):
    """Lambda function with its log group and role and, in a network, its security group."""

    requirements: tuple[str, ...] = ("Q2",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        specification: FunctionSpecification,
        key: KmsKey,
        statements: Sequence[Statement] = (),
        network: Network | None = None,
        groups: Sequence[Group] = (),
        failed_events: SqsQueue | None = None,
        topic: AlarmTopic | None = None,
        incident: Incident | None = None,
        after: Sequence[ITerraformDependable] = (),
    ) -> None:
        """Make the function.

        Args:
            scope: a construct below a region.
            id_: of this construct.
            names: of the environment.
            specification: what is the same in every region.
            key: encrypts the log group.
            statements: of the function's role, in addition to its own.
            network: whose private subnets the function runs in; None runs it outside of the VPC.
            groups: security groups in addition to its own, such as that of the clients of the VPC endpoints.
            failed_events: receives the events of asynchronous invocations whose last attempt failed; ``statements``
                must allow the use of the queue's key.
            topic: receives the alarm on errors and throttles; None where the caller of the function sees them.
            incident: that the alarm is a symptom of, and pages for.
            after: what must exist before the function's code changes, which Terraform cannot infer.
        """
        super().__init__(scope, id_)
        self._names = names
        self._specification = specification
        self._network = network
        self._failed_events = failed_events
        self._after = list(after)
        self._group = self._own_group(network) if network else None
        self.log_group = CloudwatchLogGroup(
            self,
            "log-group",
            name=names.log_group(specification.purpose),
            retention_in_days=RETENTION_DAYS,
            kms_key_id=key.arn,
        )
        self.role = self._role([*statements, *self._own_statements()])
        self.function = self._function([*([self._group] if self._group else []), *groups])
        if failed_events:
            self._keep_failed_events(failed_events)
        if topic:
            self._watch(topic, incident)

    @property
    def group(self) -> Group:
        """Security group of the function.

        Raises:
            LookupError: the function runs outside of the VPC.
        """
        if self._group is None:
            raise LookupError(f"{self.node.path} stands in no network, so it has no security group")
        return self._group

    def _own_group(self, network: Network) -> Group:
        title = self._specification.title
        return Group(
            self,
            "group",
            names=self._names,
            purpose=self._specification.purpose,
            network=network,
            tier=network.private,
            description=title[0].upper() + title[1:],
        )

    def _function(self, groups: Sequence[Group]) -> LambdaFunction:
        specification = self._specification
        code = Code.of(self, specification.purpose.replace("-", "_"))
        return LambdaFunction(
            self,
            "function",
            function_name=self._names.of(specification.purpose),
            description=specification.description,
            filename=code.asset.path,
            source_code_hash=code.sha256,
            handler="handler.handler",
            runtime=RUNTIME,
            architectures=[ARCHITECTURE],
            role=self.role.arn,
            timeout=specification.timeout_seconds,
            memory_size=specification.memory_mib,
            reserved_concurrent_executions=specification.reserved_concurrency,
            environment=LambdaFunctionEnvironment(variables=dict(specification.variables)),
            logging_config=LambdaFunctionLoggingConfig(log_format="JSON", log_group=self.log_group.name),
            tracing_config=LambdaFunctionTracingConfig(mode="Active" if specification.traced else "PassThrough"),
            vpc_config=self._place(groups),
            # not inferable: Lambda checks what the role may do in the VPC, and deletes network interfaces by it
            depends_on=[self.policy, *self._after],
        )

    def _place(self, groups: Sequence[Group]) -> LambdaFunctionVpcConfig | None:
        if self._network is None:
            return None
        return LambdaFunctionVpcConfig(
            subnet_ids=self._network.private.subnet_ids,
            security_group_ids=[group.security_group.id for group in groups],
        )

    def _role(self, statements: Sequence[Statement]) -> IamRole:
        purpose = self._specification.purpose
        role = IamRole(
            self,
            "role",
            name=self._names.of(f"{purpose}-{Region.of(self).name}"),
            description=f"What the {self._specification.title} may do",
            assume_role_policy=trust(self, "trust", service_name="lambda.amazonaws.com").json,
        )
        permissions = PolicyDocument(self, "permissions", statement=list(statements))
        self.policy = IamRolePolicy(self, "policy", name=purpose, role=role.id, policy=permissions.json)
        return role

    def _own_statements(self) -> Iterator[Statement]:
        yield Statement(
            sid="WriteOwnLogs",
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[f"{self.log_group.arn}:*"],
        )
        if self._network:
            yield from self._manage_network_interfaces()
        if self._specification.traced:
            yield Statement(
                sid="WriteTraces",
                actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
                resources=["*"],  # they know no resource
            )
        if self._failed_events:
            yield Statement(sid="KeepFailedEvents", actions=["sqs:SendMessage"], resources=[self._failed_events.arn])

    def _manage_network_interfaces(self) -> Iterator[Statement]:
        """The permissions that Lambda requires of the role to run the function in a VPC, denied to the function's code.

        Lambda checks it at creation, before there is a network interface to name: "include all resource IDs".
        https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
        """
        place = f"{Region.of(self).name}:{self._names.account_id}"
        own = f"arn:aws:lambda:{place}:function:{self._names.of(self._specification.purpose)}"
        yield Statement(sid="StandInTheNetwork", actions=NETWORK_INTERFACES, resources=[f"arn:aws:ec2:{place}:*/*"])
        yield Statement(
            sid="LookAtNetworkInterfaces",
            actions=["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"],
            resources=["*"],  # they know no resource
        )
        yield Statement(
            sid="ManagedByLambdaOnly",
            effect="Deny",
            actions=NETWORK_INTERFACES,
            resources=["*"],
            condition=[when("ArnEquals", "lambda:SourceFunctionArn", own)],
        )

    def _keep_failed_events(self, queue: SqsQueue) -> None:
        LambdaFunctionEventInvokeConfig(
            self,
            "asynchronous-calls",
            function_name=self.function.function_name,
            maximum_retry_attempts=self._specification.attempts - 1,
            maximum_event_age_in_seconds=self._specification.oldest_event_seconds,
            destination_config=LambdaFunctionEventInvokeConfigDestinationConfig(
                on_failure=LambdaFunctionEventInvokeConfigDestinationConfigOnFailure(destination=queue.arn)
            ),
        )

    def _watch(self, topic: AlarmTopic, incident: Incident | None) -> None:
        """Make one alarm on errors and throttles: both are looked into in the function's log."""
        specification = self._specification
        purpose, seconds = specification.purpose, specification.failing_minutes * MINUTE
        own = {"FunctionName": self._names.of(purpose)}
        alarm = Alarm(
            name=f"{purpose}-failing",
            kind="function-failing",
            meaning=f"Calls of the {specification.title} fail, or are throttled",
            metrics={
                "errors": Metric("AWS/Lambda", "Errors", "Sum", own, seconds),
                "throttles": Metric("AWS/Lambda", "Throttles", "Sum", own, seconds),
            },
            expression="errors + throttles",
            bound=specification.failing_calls - 1,
            pages=incident,
        )
        topic.watch(self, "alarm", alarm)
