"""Alerts: what Alertmanager tells, and what came of it."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..alerting.desk import Desk
from ..alerting.inbox import Entry, Rollback
from ..alerting.notification import Notification
from ..errors import Forbidden, Unauthenticated
from .replies import reply
from .requests import body_of, decoded, only, whole_number
from .services import caller_of

MOST = 4 * 1024 * 1024  # bytes of a notification
ASK = "alerts need YYCHAT_ALERT_TOKEN as 'Authorization: Bearer <token>'"

_notification = msgspec.json.Decoder(Notification)


class RollbackView(msgspec.Struct):
    """``result``: done, would (automatic rollback is off) or refused, and ``why``. ``weights`` are
    the shares it is about, ``revision`` the selection that was or would be changed."""

    result: Literal["done", "would", "refused"]
    engine: str
    why: str
    revision: int | None
    weights: dict[str, int] | None


class AlertView(msgspec.Struct):
    """Times are Unix time in seconds; ``ended`` is null while the alert fires."""

    name: str
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    summary: str
    began: float
    ended: float | None
    received: float
    rollback: RollbackView | None
    object: Literal["alert"] = "alert"


class AlertList(msgspec.Struct):
    """Newest first."""

    data: list[AlertView]
    object: Literal["list"] = "list"


@dataclass(frozen=True)
class Alerts:
    """What the handlers work with: the desk, and the token that Alertmanager has to know."""

    desk: Desk
    token: str | None


async def alerts(request: Request) -> Response:
    return await (receive(request) if request.method == "POST" else listing(request))


async def receive(request: Request) -> Response:
    """Open to Alertmanager alone: keys of callers do not count here."""
    inbox = alerts_of(request)
    _check_token(request, inbox.token)
    notification = decoded(await body_of(request, MOST), _notification)
    return _listed(await inbox.desk.take(notification.alerts))


async def listing(request: Request) -> Response:
    if caller_of(request).role != "admin":
        raise Forbidden("only a key of role admin may see this")
    only(request, "limit")
    limit = whole_number(request, "limit", 20, 1, 1000)
    return _listed(await alerts_of(request).desk.newest(limit))


def alerts_of(request: Request) -> Alerts:
    return cast(Alerts, request.state.alerts)


def _check_token(request: Request, token: str | None) -> None:
    given = request.headers.getlist("authorization")
    scheme, _, shown = (given[0] if len(given) == 1 else "").partition(" ")
    if scheme.lower() != "bearer" or not shown.strip():
        raise Unauthenticated(ASK)
    if not token:
        raise Forbidden("alerts are not taken here: YYCHAT_ALERT_TOKEN is not set")
    if not hmac.compare_digest(shown.strip().encode(), token.encode()):
        raise Unauthenticated(ASK)


def _listed(entries: Sequence[Entry]) -> Response:
    return reply(AlertList([_view(entry) for entry in entries]))


def _view(entry: Entry) -> AlertView:
    return AlertView(
        name=entry.name,
        status=entry.status,
        labels=entry.labels,
        summary=entry.summary,
        began=entry.began,
        ended=entry.ended,
        received=entry.received,
        rollback=_rollback(entry.rollback),
    )


def _rollback(rollback: Rollback | None) -> RollbackView | None:
    if rollback is None:
        return None
    return RollbackView(
        rollback.result, rollback.engine, rollback.why, rollback.revision, rollback.weights
    )
