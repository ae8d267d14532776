"""The route to which an acquirer sends its notifications. It is for acquirers, and so in no document for merchants."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from payments import logs, repository
from payments.acquirer.notifications import NotAuthentic, NotUnderstood
from payments.authorization import AuthorizedRoute, everybody
from payments.problems import ApiError
from payments.service import Service

notifications_router = APIRouter(prefix="/api/v1/acquirer", route_class=AuthorizedRoute)


@notifications_router.post("/notifications", include_in_schema=False)
@everybody  # but for its signature
async def receive_notification(request: Request) -> Response:
    """Store each decision of a notification once; what is stored is processed by the queue's consumers.

    The acquirer repeats whatever gets another response than 204.
    """
    service: Service = request.app.state.service
    if service.notification_keys is None:
        raise ApiError("not-found", HTTPStatus.NOT_FOUND, "There is no such path.")
    body = await request.body()
    keys = await asyncio.to_thread(service.notification_keys.get)
    try:
        found = service.notifications(keys).read(dict(request.headers), body, time.time())
    except NotAuthentic:
        raise ApiError("not-authentic", HTTPStatus.FORBIDDEN, "The signature is missing, wrong or too old.") from None
    except NotUnderstood as error:
        logs.error("notification not understood", error)
        raise ApiError("invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, "The form is unknown.") from None
    for one in found:
        if await service.limiter.run(repository.receive_notification, one):
            service.wake_publisher()
    return Response(status_code=HTTPStatus.NO_CONTENT)
