"""IAM Access Analyzer, which moto does not know: analyzers with their tags, one of an account's own in a region.

Nothing is analysed here, so an analyzer has no findings.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse, EmptyResult

from emulator.moto.extend import add_service

SERVICE = "accessanalyzer"
HOSTS = r"https?://access-analyzer\.(.+)\.amazonaws\.com"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-quotas.html
ONE_OF_A_KIND = ("ACCOUNT", "ORGANIZATION")


class AnalyzerError(ServiceException):  # type: ignore[misc]
    """An error of this service, whose model requires the resource in it."""

    def __init__(self, code: str, message: str, name: str) -> None:
        super().__init__(code, message)
        self.resourceId = name  # as the model calls it
        self.resourceType = "analyzer"


class Analyzers(BaseBackend):  # type: ignore[misc]
    """The analyzers of an account in a region, by name."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.analyzers: dict[str, dict[str, Any]] = {}

    @property
    def _url_module(self) -> Any:
        """The API of the service, as moto's services have in their responses.py."""
        return SimpleNamespace(url_bases=[HOSTS], url_paths={"{0}/(?P<path>.*)$": Response.dispatch})

    def named(self, name: str) -> dict[str, Any]:
        """An analyzer."""
        if name not in self.analyzers:
            raise AnalyzerError("ResourceNotFoundException", f"Analyzer {name} was not found", name)
        return self.analyzers[name]

    def of_arn(self, arn: str) -> dict[str, Any]:
        """An analyzer by its ARN."""
        return self.named(arn.partition(":analyzer/")[2])


analyzers = BackendDict(Analyzers, SERVICE)


class Response(BaseResponse):  # type: ignore[misc]
    """Answers requests."""

    def __init__(self) -> None:
        super().__init__(service_name=SERVICE)
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> Analyzers:
        """Of the account and region that the request is for."""
        return analyzers[self.current_account][self.region]  # type: ignore[no-any-return]

    def create_analyzer(self) -> ActionResult:
        """Store the analyzer; a region has at most one analyzer of the whole account."""
        name, type_ = self._get_param("analyzerName"), self._get_param("type")
        known = self.backend.analyzers
        if name in known:
            raise AnalyzerError("ConflictException", f"An analyzer with the name {name} already exists", name)
        if type_ in ONE_OF_A_KIND and any(one["type"] == type_ for one in known.values()):
            raise AnalyzerError("ServiceQuotaExceededException", f"There is an analyzer of type {type_} already", name)
        arn = f"arn:aws:access-analyzer:{self.region}:{self.current_account}:analyzer/{name}"
        known[name] = {
            "arn": arn,
            "name": name,
            "type": type_,
            "createdAt": datetime.now(UTC),
            "status": "ACTIVE",
            "tags": self._get_param("tags") or {},
        }
        if configuration := self._get_param("configuration"):
            known[name]["configuration"] = configuration
        return ActionResult({"arn": arn})

    def get_analyzer(self) -> ActionResult:
        """Answer the analyzer as it was sent."""
        return ActionResult({"analyzer": self.backend.named(self._get_param("analyzerName"))})

    def list_analyzers(self) -> ActionResult:
        """Answer all of them, or those of a type."""
        type_ = self._get_param("type")
        return ActionResult(
            {"analyzers": [one for one in self.backend.analyzers.values() if type_ in (None, one["type"])]}
        )

    def delete_analyzer(self) -> EmptyResult:
        """Delete the analyzer."""
        del self.backend.analyzers[self.backend.named(self._get_param("analyzerName"))["name"]]
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        """Answer the tags."""
        return ActionResult({"tags": self.backend.of_arn(self._get_param("resourceArn"))["tags"]})

    def tag_resource(self) -> EmptyResult:
        """Add to the tags."""
        self.backend.of_arn(self._get_param("resourceArn"))["tags"].update(self._get_param("tags"))
        return EmptyResult()

    def untag_resource(self) -> EmptyResult:
        """Take from the tags."""
        tags = self.backend.of_arn(self._get_param("resourceArn"))["tags"]
        for key in self._get_param("tagKeys"):
            tags.pop(key, None)
        return EmptyResult()


add_service(SERVICE, analyzers, HOSTS)
