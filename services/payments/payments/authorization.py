"""Authorization of routes: each declares a required scope or that it is public; the application starts only then."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from payments import certificates, logs
from payments.authentication import Caller, Forbidden
from payments.problems import documented
from payments.scopes import Scope
from payments.service import Service

DECLARED = "__payments_callers__"
SCHEME, TOKEN_SCHEME = "api_key", "access_token"
SECURITY_SCHEMES = {
    SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key of a merchant, such as pay_live_..., which has scopes.",
    },
    TOKEN_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the environment's OAuth 2.0 issuer, by client credentials, with scopes; "
        "where there is an issuer.",
    },
}
E = TypeVar("E", bound=Callable[..., Any])


class NotDeclared(Exception):
    """A route declares neither a required scope nor that it is public."""


def callers_with(scope: Scope) -> Callable[[E], E]:
    """Require a scope of the callers of an endpoint."""
    return _declared(scope)


def everybody(endpoint: E) -> E:
    """Make an endpoint public: it needs no credential."""
    return _declared(None)(endpoint)


def _declared(scope: Scope | None) -> Callable[[E], E]:
    def declare(endpoint: E) -> E:
        setattr(endpoint, DECLARED, scope)
        return endpoint

    return declare


class AuthorizedRoute(APIRoute):
    """A route that authenticates and authorizes its caller before it examines anything else of the request."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **values: Any) -> None:
        """See :class:`fastapi.routing.APIRoute`.

        Raises:
            NotDeclared: the endpoint declares neither a required scope nor that it is public.
        """
        if not hasattr(endpoint, DECLARED):
            raise NotDeclared(f"{path}: let it say who may call it, by callers_with(...) or everybody")
        self.scope: Scope | None = getattr(endpoint, DECLARED)
        if self.scope:
            refusals = documented(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
            values["responses"] = {**(values.get("responses") or {}), **refusals}
        security: list[dict[str, list[str]]] = (
            [{one: [self.scope.value]} for one in SECURITY_SCHEMES] if self.scope else []
        )
        values["openapi_extra"] = {**(values.get("openapi_extra") or {}), "security": security}
        super().__init__(path, endpoint, **values)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, after authentication and authorization."""
        handle, scope = super().get_route_handler(), self.scope
        if scope is None:
            return handle

        async def authorized(request: Request) -> Response:
            service: Service = request.app.state.service
            caller = await service.authenticator.authenticate(
                request.headers.get("authorization"),
                request.headers.getlist(certificates.HEADER),
                address=request.state.client_address,
            )
            logs.caller.set(
                {"merchant_id": str(caller.merchant_id), "credential_id": str(caller.requester.credential_id)}
            )
            if scope not in caller.scopes:
                raise Forbidden(scope)
            request.state.caller = caller
            async with service.quotas.place(caller.merchant_id):
                return await handle(request)

        return authorized


def caller_of(request: Request) -> Caller:
    """The caller of a route that is not public."""
    found: Caller = request.state.caller
    return found
