"""What Alertmanager sends: its webhook, version 4.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec

Status = Literal["firing", "resolved"]
Text = Annotated[str, msgspec.Meta(max_length=10_000)]
Texts = Annotated[dict[str, Text], msgspec.Meta(max_length=100)]

# The alerts of prometheus/rules: the values that the label ``alertname`` may have.
ALERTS = (
    "YYChatAnsweredBudgetBurn",
    "YYChatFirstTokenBudgetBurn",
    "YYChatNoSuccess",
    "YYChatAbsent",
    "YYChatInstanceDown",
    "YYChatInstanceOutlier",
    "YYChatEngineFailing",
    "YYChatEngineFallback",
    "YYChatEngineSelectionDiverged",
    "YYChatUpstreamErrors",
    "YYChatUpstreamRateLimited",
    "YYChatMemoryDeadlineMisses",
    "YYChatOutboxStuck",
    "YYChatOutboxDead",
    "YYChatRedisDegraded",
    "RedisDown",
    "RedisMemoryHigh",
    "YYChatSaturated",
    "YYChatEventLoopBlocked",
    "YYChatTenantNoisy",
    "YYChatSpendHigh",
    "YYChatTelemetryBroken",
    "YYChatCrashLoop",
    "Watchdog",
    "PrometheusRuleFailures",
    "PrometheusNotificationsDropped",
    "AlertmanagerFailedToSend",
)


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert. ``ends_at`` of one that fires is when Prometheus would give it up."""

    status: Status
    labels: Texts
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)]
    ends_at: Annotated[datetime, msgspec.Meta(tz=True)]
    fingerprint: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    annotations: Texts = {}

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")

    @property
    def began(self) -> float:
        """Unix time in seconds."""
        return self.starts_at.timestamp()

    @property
    def ended(self) -> float | None:
        """Unix time in seconds; None while it fires."""
        return self.ends_at.timestamp() if self.status == "resolved" else None

    @property
    def asks_for_rollback(self) -> bool:
        return self.status == "firing" and self.labels.get("action") == "rollback"


class Notification(msgspec.Struct, frozen=True):
    """A group of alerts; what else Alertmanager says of it is not needed here."""

    version: Literal["4"]
    alerts: Annotated[list[Alert], msgspec.Meta(max_length=1_000)]


def kept(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as they are recorded: what is too long is cut."""
    return {name[:100]: value[:200] for name, value in sorted(labels.items())[:30]}
