"""The JSON that Grafana reads, made from a board: what Grafana wants to be told, and nothing else
has to know."""

import re

from panels import TITLES, WIDE, Board, Json, Panel, Query, Row, Steps, Words

SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
KEPT = "${__url_time_range}&${__all_variables}"  # what a link takes along
# What has a name has its colour, on every board.
COLOURS = {
    "ok": "green",
    "client_error": "light-blue",
    "cancelled": "text",
    "rejected": "yellow",
    "upstream_error": "orange",
    "engine_error": "red",
    "timeout": "purple",
    "memory_degraded": "yellow",
    "internal_error": "dark-red",
    "chat_engine": "blue",
    "mem0_proxy": "purple",
    "native": "blue",
    "mem0": "purple",
    "none": "text",
    "auth": "light-yellow",
    "selection": "semi-dark-yellow",
    "recall_embed": "light-purple",
    "recall_search": "purple",
    "prompt": "yellow",
    "upstream_first_byte": "blue",
    "upstream_stream": "light-blue",
    "tool": "orange",
    "save": "dark-purple",
    "other": "text",
}
EACH_RESULT = "{{engine}} {{result}}"
COLOURED = ("outcome", "engine", "memory", "kind", "stage")  # labels with these values

_CALLED = re.compile(r"^{{(\w+)}}$")


def rendered(board: Board) -> Json:
    """The board as Grafana reads it, in the classic format: Grafana 13 still takes it as it is."""
    return {
        "uid": board.uid,
        "title": f"YYChat: {board.title}",
        "description": board.about,
        "tags": ["yychat"],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "weekStart": "",
        "fiscalYearStartMonth": 0,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "5s",
        "timepicker": {"refresh_intervals": ["1s", "5s", "10s", "30s", "1m", "5m"]},
        "liveNow": False,
        "preload": False,
        "links": [_to_board(uid) for uid in TITLES if uid != board.uid],
        "templating": {"list": _variables()},
        "annotations": {"list": _annotations()},
        "panels": _laid_out(board),
    }


def _to_board(uid: str) -> Json:
    return {
        "type": "link",
        "title": TITLES[uid],
        "url": f"/d/{uid}",
        "icon": "dashboard",
        "tags": [],
        "tooltip": "",
        "asDropdown": False,
        "keepTime": True,
        "includeVars": True,
        "targetBlank": False,
    }


def _variables() -> list[Json]:
    # All jobs are really all, those of Redis and Prometheus too: what they have as well as the
    # service (up, process_...) has to be asked of the service's by name.
    source: Json = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "prometheus"},
        "includeAll": False,
        "multi": False,
        "hide": 0,
        "refresh": 1,
        "regex": "",
        "options": [],
    }
    return [
        source,
        _asked("job", 'label_values(up{job=~"yychat.*"}, job)'),
        _asked("instance", 'label_values(up{job=~"$job",job=~"yychat.*"}, instance)'),
        _asked("engine", 'label_values(yychat_chat_requests_total{job=~"$job"}, engine)'),
        _asked(
            "model",
            'label_values(gen_ai_client_operation_duration_seconds_count{job=~"$job"},'
            " gen_ai_request_model)",
        ),
    ]


def _asked(name: str, query: str) -> Json:
    return {
        "name": name,
        "label": name.title(),
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "current": {"text": ["All"], "value": ["$__all"]},
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "hide": 0,
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "options": [],
    }


def _annotations() -> list[Json]:
    return [
        _marked(
            "Change of the selection",
            'max(changes(yychat_engine_selection_revision{job=~"$job"}[$__rate_interval])) > 0',
            "Traffic was given to other engines: `yychat engines history` says who and why.",
            "blue",
        ),
        _marked(
            "Deploy",
            'count by (version) (yychat_build_info{job=~"$job"})'
            ' unless count by (version) (yychat_build_info{job=~"$job"} offset 2m)',
            "A version that was not there two minutes before: {{version}}",
            "purple",
        ),
        _marked(
            "Alert",
            'count by (alertname) (ALERTS{alertstate="firing",severity=~"page|ticket"})',
            "{{alertname}} fires",
            "red",
        ),
    ]


def _marked(name: str, expr: str, text: str, colour: str) -> Json:
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "target": {"expr": expr, "refId": "Anno", "interval": "", "legendFormat": ""},
        "titleFormat": name,
        "textFormat": text,
    }


def _laid_out(board: Board) -> list[Json]:
    """Rows from top to bottom; within one, panels from left to right and on in the next line."""
    panels: list[Json] = []
    top = 0

    def put(panel: Json, x: int, y: int, width: int, height: int) -> None:
        place = {"x": x, "y": y, "w": width, "h": height}
        panels.append({"id": len(panels) + 1, **panel, "gridPos": place})

    for row in board.rows:
        put({"type": "row", "title": row.title, "collapsed": False, "panels": []}, 0, top, WIDE, 1)
        put(_text(row), 0, top + 1, WIDE, 3)
        x, y, lowest = 0, top + 4, top + 4
        for panel in row.panels:
            if x + panel.width > WIDE:
                x, y = 0, lowest
            put(_panel(panel), x, y, panel.width, panel.height)
            x, lowest = x + panel.width, max(lowest, y + panel.height)
        top = lowest
    return panels


def _text(row: Row) -> Json:
    # Grafana fills in what a link takes along only where the link opens a window of its own.
    ways = " ".join(
        f'**Next:** <a href="/d/{uid}?{KEPT}" target="_blank">{TITLES[uid]}</a> {why}'
        for uid, why in row.then.items()
    )
    return {
        "type": "text",
        "title": "",
        "transparent": True,
        "options": {"mode": "markdown", "content": f"{row.answers}\n\n{ways}"},
    }


def _panel(panel: Panel) -> Json:
    names = ", ".join(f"`{name}`" for name in panel.metrics)
    links = [{"title": TITLES[uid], "url": f"/d/{uid}?{KEPT}"} for uid in panel.leads]
    defaults: Json = {
        "unit": panel.unit,
        "noValue": panel.none,
        "links": links,
        "mappings": _mappings(panel.words),
        "thresholds": _thresholds(panel.steps),
        "custom": panel.custom,
        **panel.defaults,
    }
    made: Json = {
        "type": panel.kind,
        "title": panel.title,
        "description": f"{panel.about}\n\nNothing to see: {panel.none}.\n\nFrom {names}.",
        "datasource": SOURCE,
        "links": [_board_link(uid) for uid in panel.leads],
        "fieldConfig": {"defaults": defaults, "overrides": _colours(panel)},
        "options": panel.options,
        "targets": [_target(query, chr(65 + n)) for n, query in enumerate(panel.queries)],
    }
    return made | (
        {"transformations": list(panel.transformations)} if panel.transformations else {}
    )


def _colours(panel: Panel) -> list[Json]:
    """Of the lines that are called by the value of one label and nothing else, or by an engine and
    its result: these have the result's colour, and mem0_proxy's are dashed."""
    if panel.kind != "timeseries":
        return []
    legends = [query.legend for query in panel.queries]
    if EACH_RESULT in legends:
        dashed = {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 6]}}
        return [
            *(_override("byRegexp", f"/ {name}$/", _fixed(each)) for name, each in COLOURS.items()),
            _override("byRegexp", "/^mem0_proxy /", dashed),
        ]
    called = {label for legend in legends for label in _CALLED.findall(legend)}
    if not called & set(COLOURED):
        return []
    return [_override("byName", name, _fixed(colour)) for name, colour in COLOURS.items()]


def _override(matcher: str, which: str, *properties: Json) -> Json:
    return {"matcher": {"id": matcher, "options": which}, "properties": list(properties)}


def _fixed(colour: str) -> Json:
    return {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}


def _board_link(uid: str) -> Json:
    """On a panel: the same as a link of the board, with the address that takes all along."""
    return _to_board(uid) | {"url": f"/d/{uid}?{KEPT}", "keepTime": False, "includeVars": False}


def _target(query: Query, name: str) -> Json:
    return {
        "refId": name,
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "exemplar": query.exemplar,
        "range": not query.table,
        "instant": query.table,
        "format": "table" if query.table else "time_series",
    }


def _mappings(words: Words) -> list[Json]:
    if not words:
        return []
    said = {
        f"{value:g}": {"text": text, "color": colour, "index": number}
        for number, (value, (text, colour)) in enumerate(words.items())
    }
    return [{"type": "value", "options": said}]


def _thresholds(steps: Steps) -> Json:
    first: list[Json] = [] if steps and steps[0][0] <= 0 else [{"color": "green", "value": None}]
    coloured = [
        {"color": colour, "value": None if number == 0 and not first else value}
        for number, (value, colour) in enumerate(steps)
    ]
    return {"mode": "absolute", "steps": first + coloured}
