"""CodeDeploy deployment of a critical service: canary, alarms and automatic rollback (W2.3).

Creates, for a region, the deployment configuration (the canary's share of the requests, and for how long), and for each
service a CodeDeploy application and deployment group, CodeDeploy's role, and the alarms that roll a deployment back:
server errors, latency and unhealthy targets, for each colour, as either may be the new version.
"""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.codedeploy_app import CodedeployApp
from cdktf_cdktf_provider_aws.codedeploy_deployment_config import (
    CodedeployDeploymentConfig,
    CodedeployDeploymentConfigTrafficRoutingConfig,
    CodedeployDeploymentConfigTrafficRoutingConfigTimeBasedCanary,
)
from cdktf_cdktf_provider_aws.codedeploy_deployment_group import (
    CodedeployDeploymentGroup,
    CodedeployDeploymentGroupAlarmConfiguration,
    CodedeployDeploymentGroupAutoRollbackConfiguration,
    CodedeployDeploymentGroupBlueGreenDeploymentConfig,
    CodedeployDeploymentGroupBlueGreenDeploymentConfigDeploymentReadyOption,
    CodedeployDeploymentGroupBlueGreenDeploymentConfigTerminateBlueInstancesOnDeploymentSuccess,
    CodedeployDeploymentGroupDeploymentStyle,
    CodedeployDeploymentGroupEcsService,
    CodedeployDeploymentGroupLoadBalancerInfo,
    CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfo,
    CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoProdTrafficRoute,
    CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoTargetGroup,
    CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoTestTrafficRoute,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.lb_target_group import LbTargetGroup
from constructs import Construct

from modules.ingress.load_balancer import LoadBalancer
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import FEWEST_REQUESTS, Alarm
from modules.monitoring.metrics import Metric
from modules.policy_documents import PolicyDocument, Statement, trust, when
from modules.region import Region
from modules.services.blue_green import BlueGreenService
from modules.services.cluster import Cluster
from settings.naming import Names
from settings.services import ReleaseSettings

# How a target fails a request. The load balancer's own answers to the latter two are no errors of the target.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
FAILURES = {
    "errors": "HTTPCode_Target_5XX_Count",
    "unreachable": "TargetConnectionErrorCount",
    "untrusted": "TargetTLSNegotiationErrorCount",
}
ALARM_MINUTES = 2  # in a row, so that one slow minute does not roll back


class Canary(Construct):
    """Deployment configuration of a region: the canary's share of the requests, and its minutes."""

    requirements = ("W2.3",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, settings: ReleaseSettings) -> None:
        super().__init__(scope, id_)
        self.configuration = CodedeployDeploymentConfig(
            self,
            "configuration",
            # A configuration is immutable, so its values are in its name: another canary is another configuration.
            deployment_config_name=names.of(
                f"canary-{settings.canary_percent}-percent-{settings.canary_minutes}-minutes"
            ),
            compute_platform="ECS",
            # The groups must use the new one before the old one can go.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
            traffic_routing_config=CodedeployDeploymentConfigTrafficRoutingConfig(
                type="TimeBasedCanary",
                time_based_canary=CodedeployDeploymentConfigTrafficRoutingConfigTimeBasedCanary(
                    percentage=settings.canary_percent, interval=settings.canary_minutes
                ),
            ),
        )


def unanswered_requests(load_balancer: LoadBalancer, settings: ReleaseSettings) -> Alarm:
    """Share of the requests that the load balancer answers with a server error of its own: no target, or a hanging one.

    They are in no target group's metrics, and not in RequestCount unless a target was chosen.
    """
    own = {"LoadBalancer": load_balancer.load_balancer.arn_suffix}
    total = "(requests + unanswered)"
    return Alarm(
        name="load-balancer-server-errors",
        kind="release-server-errors",
        meaning="The load balancer answers too many requests with server errors of its own",
        metrics={
            "requests": Metric("AWS/ApplicationELB", "RequestCount", "Sum", own),
            "unanswered": Metric("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", own),
        },
        expression=f"100 * unanswered / {_at_least(total, FEWEST_REQUESTS)}",
        bound=settings.max_5xx_percent,
        periods=ALARM_MINUTES,
    )


def _at_least(expression: str, fewest: int) -> str:
    return f"IF({expression} < {fewest}, {fewest}, {expression})"


class Release(Construct):
    """CodeDeploy application, deployment group, role and rollback alarms of one service."""

    requirements = ("W1.2", "W2.3", "W2.4")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ReleaseSettings,
        service: BlueGreenService,
        cluster: Cluster,
        load_balancer: LoadBalancer,
        canary: Canary,
        unanswered: CloudwatchMetricAlarm,
        topic: AlarmTopic,
    ) -> None:
        """``unanswered`` is the region's alarm on the load balancer's own error responses; it rolls back as well."""
        super().__init__(scope, id_)
        self._names = names
        self._settings = settings
        self._service = service
        self._load_balancer = load_balancer
        self._topic = topic
        self.alarms = [alarm for colour in service.target_groups for alarm in self._alarms(colour)] + [unanswered]
        self.role = self._role()
        name = names.of(service.name)
        self.application = CodedeployApp(self, "application", name=name, compute_platform="ECS")
        self.group = CodedeployDeploymentGroup(
            self,
            "group",
            app_name=self.application.name,
            deployment_group_name=name,
            deployment_config_name=canary.configuration.deployment_config_name,
            service_role_arn=self.role.arn,
            deployment_style=CodedeployDeploymentGroupDeploymentStyle(
                deployment_option="WITH_TRAFFIC_CONTROL", deployment_type="BLUE_GREEN"
            ),
            ecs_service=CodedeployDeploymentGroupEcsService(
                cluster_name=cluster.cluster.name, service_name=service.service.name
            ),
            load_balancer_info=self._traffic(),
            blue_green_deployment_config=self._bake(),
            auto_rollback_configuration=CodedeployDeploymentGroupAutoRollbackConfiguration(
                enabled=True,
                events=["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
            ),
            alarm_configuration=CodedeployDeploymentGroupAlarmConfiguration(
                enabled=True, alarms=[alarm.alarm_name for alarm in self.alarms]
            ),
            depends_on=[self.policy],  # not inferable: CodeDeploy checks what its role may do
        )

    def _traffic(self) -> CodedeployDeploymentGroupLoadBalancerInfo:
        return CodedeployDeploymentGroupLoadBalancerInfo(
            target_group_pair_info=CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfo(
                prod_traffic_route=CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoProdTrafficRoute(
                    listener_arns=[self._load_balancer.listener.arn]
                ),
                test_traffic_route=CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoTestTrafficRoute(
                    listener_arns=[self._load_balancer.test_listener.arn]
                ),
                target_group=[
                    CodedeployDeploymentGroupLoadBalancerInfoTargetGroupPairInfoTargetGroup(name=group.name)
                    for group in self._service.target_groups.values()
                ],
            )
        )

    def _bake(self) -> CodedeployDeploymentGroupBlueGreenDeploymentConfig:
        """Shift traffic as soon as green is ready; keep blue for the bake time, to roll back to."""
        ready = CodedeployDeploymentGroupBlueGreenDeploymentConfigDeploymentReadyOption(
            action_on_timeout="CONTINUE_DEPLOYMENT"
        )
        end = CodedeployDeploymentGroupBlueGreenDeploymentConfigTerminateBlueInstancesOnDeploymentSuccess(
            action="TERMINATE", termination_wait_time_in_minutes=self._settings.bake_minutes
        )
        return CodedeployDeploymentGroupBlueGreenDeploymentConfig(
            deployment_ready_option=ready, terminate_blue_instances_on_deployment_success=end
        )

    def _alarms(self, colour: str) -> list[CloudwatchMetricAlarm]:
        group = self._service.target_groups[colour]
        requests = self._metric("RequestCount", "Sum", group)
        return [
            self._alarm(
                colour,
                "server-errors",
                f"Of the answers of {colour} {self._service.name}, too many are server errors",
                bound=self._settings.max_5xx_percent,
                # Of so many requests at least: one error of few is no share, and a canary of few that all fail is seen.
                expression=f"100 * ({' + '.join(FAILURES)}) / {_at_least('requests', FEWEST_REQUESTS)}",
                metrics={
                    "requests": requests,
                    **{id_: self._metric(metric, "Sum", group) for id_, metric in FAILURES.items()},
                },
            ),
            self._alarm(
                colour,
                "slow",
                f"{colour} {self._service.name} answers too slowly",
                bound=self._settings.max_p99_seconds,
                expression=f"IF(requests >= {FEWEST_REQUESTS}, slowest, 0)",
                metrics={"requests": requests, "slowest": self._metric("TargetResponseTime", "p99", group)},
            ),
            self._alarm(
                colour,
                "unhealthy",
                f"Tasks of {colour} {self._service.name} fail their health check",
                bound=0,
                metrics={"unhealthy": self._metric("UnHealthyHostCount", "Maximum", group)},
            ),
        ]

    def _metric(self, name: str, statistic: str, group: LbTargetGroup) -> Metric:
        load_balancer = self._load_balancer.load_balancer.arn_suffix
        return Metric(
            "AWS/ApplicationELB", name, statistic, {"LoadBalancer": load_balancer, "TargetGroup": group.arn_suffix}
        )

    def _alarm(
        self, colour: str, what: str, meaning: str, *, bound: float, metrics: dict[str, Metric], expression: str = ""
    ) -> CloudwatchMetricAlarm:
        """Make an alarm that rolls back. A colour without tasks publishes nothing: missing data is not breaching."""
        alarm = Alarm(
            name=f"{self._service.name}-{colour}-{what}",
            kind=f"release-{what}",
            meaning=meaning,
            metrics=metrics,
            expression=expression,
            bound=bound,
            periods=ALARM_MINUTES,
        )
        return self._topic.watch(self, f"{colour}-{what}", alarm)

    def _role(self) -> IamRole:
        role = IamRole(
            self,
            "role",
            name=self._names.of(f"{self._service.name}-release-{Region.of(self).name}"),
            description=f"Lets CodeDeploy release {self._service.name}",
            assume_role_policy=trust(self, "trust", service_name="codedeploy.amazonaws.com").json,
        )
        permissions = PolicyDocument(self, "permissions", statement=self._permissions())
        self.policy = IamRolePolicy(self, "policy", name="release", role=role.id, policy=permissions.json)
        return role

    def _permissions(self) -> list[Statement]:
        """The permissions of AWS's AWSCodeDeployRoleForECS, limited to this service.

        https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForECS.html
        """
        place = f"{Region.of(self).name}:{self._names.account_id}"
        own_cluster, own_service = self._names.of("cluster"), self._names.of(self._service.name)
        rules = [self._service.rule.arn, self._service.test_rule.arn]
        listeners = [self._load_balancer.listener.arn, self._load_balancer.test_listener.arn]
        return [
            Statement(
                sid="MoveTheService",
                actions=[
                    "ecs:CreateTaskSet",
                    "ecs:DeleteTaskSet",
                    "ecs:DescribeServices",
                    "ecs:UpdateServicePrimaryTaskSet",
                ],
                resources=[
                    f"arn:aws:ecs:{place}:service/{own_cluster}/{own_service}",
                    f"arn:aws:ecs:{place}:task-set/{own_cluster}/{own_service}/*",
                ],
            ),
            Statement(
                sid="AskTheSmokeTest",
                actions=["lambda:InvokeFunction"],
                resources=[f"arn:aws:lambda:{place}:function:{self._names.of('smoke-test')}"],
            ),
            Statement(
                sid="LookAtTraffic",
                actions=[
                    "elasticloadbalancing:DescribeListeners",
                    "elasticloadbalancing:DescribeRules",
                    "elasticloadbalancing:DescribeTargetGroups",
                ],
                resources=["*"],  # they know no resource
            ),
            Statement(
                sid="LookAtAlarms",
                actions=["cloudwatch:DescribeAlarms"],
                resources=[f"arn:aws:cloudwatch:{place}:alarm:*"],  # CloudWatch requires it on all alarms
            ),
            Statement(sid="MoveTraffic", actions=["elasticloadbalancing:ModifyListener"], resources=listeners),
            Statement(sid="MoveTrafficByRules", actions=["elasticloadbalancing:ModifyRule"], resources=rules),
            Statement(
                sid="HandTasksTheirRoles",
                actions=["iam:PassRole"],
                resources=[self._service.task.role.arn, self._service.task.execution_role.arn],
                condition=[when("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")],
            ),
        ]
