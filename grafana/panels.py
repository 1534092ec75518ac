"""What boards are made of: panels with their queries, in rows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Json = dict[str, Any]
Steps = tuple[tuple[float, str], ...]  # from this value on, this colour
Words = Mapping[float, tuple[str, str]]  # a text and a colour in place of a value

WIDE = 24  # columns of Grafana's grid
TITLES = {
    "yychat-overview": "Overview",
    "yychat-engines": "Engines",
    "yychat-memory": "Memory & cache",
    "yychat-upstream": "Upstream, tools & cost",
    "yychat-instances": "Instances",
}
HEALTH: Words = {0: ("not well", "red"), 1: ("well", "green")}


_METRIC = re.compile(r"([a-zA-Z_:][\w:]*)\{")


@dataclass(frozen=True)
class Query:
    """One question to Prometheus; *legend* names its lines (``{{label}}``).

    *exemplar*: points that lead to traces. *table*: only the newest values, as rows.
    """

    expr: str
    legend: str = ""
    exemplar: bool = False
    table: bool = False

    @property
    def metrics(self) -> list[str]:
        """The series it asks for, as Prometheus knows them, in their order."""
        return list(dict.fromkeys(_METRIC.findall(self.expr)))


@dataclass(frozen=True, kw_only=True)
class Panel:
    """*about* says what it shows, *none* what it means that there is nothing to show.

    *leads* are the boards to go to from here. *excused* has the rules of Grafana's dashboard
    linter that it breaks, each with the reason.
    """

    title: str
    about: str
    none: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["stat", "state-timeline", "table", "timeseries"] = "timeseries"
    width: int = 8
    height: int = 8
    steps: Steps = ()
    words: Words = field(default_factory=dict)
    leads: tuple[str, ...] = ()
    excused: Mapping[str, str] = field(default_factory=dict)
    options: Json = field(default_factory=dict)
    custom: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    transformations: tuple[Json, ...] = ()

    @property
    def metrics(self) -> list[str]:
        return list(dict.fromkeys(name for query in self.queries for name in query.metrics))


@dataclass(frozen=True)
class Row:
    """Panels that answer one question; *then* says where to go with the answer, board by board."""

    title: str
    answers: str
    then: Mapping[str, str]
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    uid: str
    about: str
    rows: Sequence[Row]

    @property
    def title(self) -> str:
        return TITLES[self.uid]

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row.panels]


# Kinds of panels


def series(title: str, *queries: Query, stacked: bool = False, **said: Any) -> Panel:
    """Lines over time; a step of its thresholds is a line as well."""
    custom: Json = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 8,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if said.get("steps") else "off"},
    }
    options: Json = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults: Json = {"min": 0, "color": {"mode": "palette-classic"}} | said.pop("defaults", {})
    return Panel(
        title=title, queries=queries, custom=custom, options=options, defaults=defaults, **said
    )


def stat(title: str, *queries: Query, **said: Any) -> Panel:
    """The newest value, large, in the colour of its threshold."""
    options: Json = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "background" if said.get("words") else "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
        "textMode": "value_and_name" if len(queries) > 1 else "auto",
        "wideLayout": True,
    }
    said = {"width": 4, "height": 4} | said
    defaults: Json = {"color": {"mode": "thresholds"}} | said.pop("defaults", {})
    return Panel(
        title=title, kind="stat", queries=queries, options=options, defaults=defaults, **said
    )


def timeline(title: str, *queries: Query, **said: Any) -> Panel:
    """One bar per series, in the colours of *words*."""
    options: Json = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom: Json = {"fillOpacity": 70, "lineWidth": 0}
    defaults: Json = {"color": {"mode": "thresholds"}}
    said = {"unit": "none", "words": HEALTH} | said
    return Panel(
        title=title,
        kind="state-timeline",
        queries=queries,
        options=options,
        custom=custom,
        defaults=defaults,
        **said,
    )


def table(title: str, query: Query, *, columns: Mapping[str, str], **said: Any) -> Panel:
    """The newest values as rows; *columns* are the labels (and ``Value``) shown, with headings."""
    order = {name: number for number, name in enumerate(columns)}
    shown: Json = {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True} | ({} if "Value" in columns else {"Value": True}),
            "indexByName": order,
            "renameByName": {name: heading for name, heading in columns.items() if heading},
        },
    }
    return Panel(
        title=title,
        kind="table",
        queries=(replace(query, table=True),),
        options={"cellHeight": "sm", "showHeader": True, "frameIndex": 0},
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
        transformations=(shown,),
        **({"unit": "none"} | said),
    )
