"""Prints how soon the budget alerts notice a failure after 24 h of health, measured with promtool,
to 2 minutes.

    python3 prometheus/detection.py

docs/operations.md quotes the table; tests/test_alert_rules.py compares the two.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
HEALTHY = 24 * 60  # minutes
# Share that fails from then on, and for how many hours it is watched.
SHARES = ((100, 3), (50, 6), (20, 21), (10, 30), (5, 6), (2, 14))
PROMISES = {
    "chat requests not answered": "YYChatAnsweredBudgetBurn",
    "streams without a first token in time": "YYChatFirstTokenBudgetBurn",
}
JOB = 'job="yychat",instance="a:0"'
OK = f'yychat_chat_requests_total{{{JOB},outcome="ok"}}'
FAILED = f'yychat_chat_requests_total{{{JOB},outcome="upstream_error"}}'
STREAMS = f"gen_ai_server_time_to_first_token_seconds_count{{{JOB}}}"
IN_TIME = f'gen_ai_server_time_to_first_token_seconds_bucket{{{JOB},le="2.5"}}'
_GOT = re.compile(r"got: .*? (\S+)$")


def main() -> None:
    lines = ["| share | " + " | ".join(PROMISES) + " |", "|---|" + "---|" * len(PROMISES)]
    lines += [f"| {share} % | " + " | ".join(noticed(share, h)) + " |" for share, h in SHARES]
    sys.stdout.write("\n".join(lines) + "\n")


def noticed(share: int, hours: int) -> list[str]:
    """For each promise who is told, and after how long."""
    end = HEALTHY + hours * 60
    tests = [
        {"expr": _first(alert, severity, end), "eval_time": f"{end}m"}
        for alert in PROMISES.values()
        for severity in ("page", "ticket")
    ]
    group = {"interval": "1m", "input_series": _series(share, hours), "promql_expr_test": tests}
    minutes = _asked(group, [test["expr"] for test in tests])
    return [_said(*minutes[n : n + 2]) for n in range(0, len(minutes), 2)]


def _series(share: int, hours: int) -> list[dict[str, str]]:
    """A thousand requests a minute, all well for the first day."""
    bad, good = 10 * share, 1_000 - 10 * share

    def then(first: int, second: int) -> str:
        return f"0+{first}x{HEALTHY} {first * HEALTHY + second}+{second}x{hours * 60}"

    values = {OK: then(1_000, good), FAILED: then(0, bad)}
    values |= {STREAMS: then(1_000, 1_000), IN_TIME: then(1_000, good)}
    return [{"series": series, "values": value} for series, value in values.items()]


def _first(alert: str, severity: str, end: int) -> str:
    """The minute, since the failure began, in which the alert fires first."""
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing",severity="{severity}"}}'
    return f"min(min_over_time(timestamp({firing})[{end}m:2m])) / 60 - {HEALTHY}"


def _asked(group: Mapping[str, object], questions: list[str]) -> list[float | None]:
    """promtool tells what it got where that is not what was expected, and nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "test.yml"
        rules = [str(HERE.resolve() / "rules" / "slo.yml")]
        file.write_text(
            json.dumps({"rule_files": rules, "evaluation_interval": "2m", "tests": [group]})
        )
        done = subprocess.run(
            ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False
        )
    told = (done.stdout + done.stderr).split("expr: ")[1:]
    found: dict[str, float] = {}
    for each in told:
        got = _GOT.search(each.strip().splitlines()[-1].strip())
        if got:
            found[each.split(", time:")[0].strip().replace("\\", "")] = float(got[1])
    return [found.get(f'"{expr}"') for expr in questions]


def _said(page: float | None, ticket: float | None) -> str:
    told = [(page, "page"), (ticket, "ticket")]
    found = [f"{what} after {_time(minutes)}" for minutes, what in told if minutes is not None]
    return found[0] if found else "nobody is told"


def _time(minutes: float) -> str:
    whole = round(minutes)
    return f"{whole} min" if whole < 120 else f"{whole // 60} h {whole % 60:02} min"


if __name__ == "__main__":
    main()
