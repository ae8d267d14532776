"""The edge in front of both regions: CloudFront, its web ACL, certificate, logs and alarms.

Its region is us-east-1, the only one where AWS accepts CloudFront's certificate and a web ACL of scope CLOUDFRONT.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cdktf_cdktf_provider_aws.provider import AwsProvider
from constructs import Construct

from modules.ingress.distribution import Distribution
from modules.ingress.distribution_logs import DistributionLogs
from modules.ingress.edge_alarms import EdgeAlarms
from modules.ingress.firewall import Firewall
from modules.ingress.origin_record import OriginRecord
from modules.ingress.origin_verify import OriginVerify
from modules.keys import LogsKey
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.paging import Paging
from modules.region import Region
from modules.storage.buckets import Bucket
from settings import Settings
from settings.firewall import Scope
from settings.platform import GLOBAL_REGION


class Edge(Region):
    """us-east-1: CloudFront with its web ACL, certificate, logs and alarms."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings, provider: AwsProvider) -> None:
        super().__init__(scope, id_, name=GLOBAL_REGION, provider=provider)
        self._settings, self._names = settings, settings.names
        self.keys = LogsKey(self, "keys", names=self._names, settings=settings.encryption, protected=settings.protected)
        self.alarms = AlarmTopic(
            self,
            "alarms",
            names=self._names,
            key=self.keys.logs,
            settings=settings.observability,
            email_addresses=settings.alarm_email_addresses,
        )
        self.firewall = Firewall(
            self,
            "firewall",
            names=self._names,
            settings=settings.firewall,
            web_acl_scope=Scope.EDGE,
            key=self.keys.logs,
        )

    def create_distribution(
        self,
        *,
        host_names: Sequence[str],
        zone_id: str,
        origin_name: str,
        origin_records: Sequence[OriginRecord],
        static_assets: Bucket,
        replica: Bucket,
        origin_verify: OriginVerify,
    ) -> None:
        """Make the distribution and its logs; grant it read access to the static assets and their replica."""
        self.distribution = Distribution(
            self,
            "distribution",
            names=self._names,
            settings=self._settings.edge,
            host_names=host_names,
            zone_id=zone_id,
            origin_name=origin_name,
            origin_records=origin_records,
            static_assets=static_assets,
            replica=replica,
            web_acl_arn=self.firewall.web_acl.arn,
            viewer_function_arn=origin_verify.viewer_function_arn,
        )
        for bucket in (static_assets, replica):
            bucket.let_cloudfront_read(self.distribution.distribution)
        DistributionLogs(
            self, "distribution-logs", names=self._names, distribution=self.distribution, key=self.keys.logs
        )

    def create_alarms(self, origin_records: Mapping[str, OriginRecord], serving: Collection[str]) -> None:
        """Make the alarms on metrics of us-east-1, and the composite alarms that page."""
        EdgeAlarms(
            self,
            "edge-alarms",
            distribution=self.distribution,
            firewall=self.firewall,
            origin_records=origin_records,
            serving=serving,
            topic=self.alarms,
        )
        self.paging = Paging(self, "paging", names=self._names, key=self.keys.logs, topic=self.alarms)
