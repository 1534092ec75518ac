"""Overview: is it well, and if not, which part is it?"""

from panels import Board, Query, Row, Words, series, stat, table, timeline

RECORDED = {"target-instance-rule": "recorded for all instances of a job together"}
ALERTMANAGER = {
    "target-job-rule": "Alertmanager is no process of the service",
    "target-instance-rule": "Alertmanager is no process of the service",
}
ALL_ALERTS = {
    "target-job-rule": "alerts about Redis, Prometheus and Alertmanager belong to other jobs",
    "target-instance-rule": "most alerts are about no single instance",
}
TOLD: Words = {
    0: ("NOBODY IS PAGED: see docs/operations.md, Alerts", "red"),
    1: ("Alertmanager has people to tell", "green"),
}
BUDGET = ((0.0, "red"), (0.25, "orange"), (0.5, "green"))
BURN = ((1.0, "yellow"), (6.0, "orange"), (14.4, "red"))

PROMISES = Row(
    "Promises",
    "**Are the promises kept, and does anybody hear of it when they are not?** 99.5 % of chat requests are answered, 95 % of streams have their first token within 2.5 s, over 30 days."
    " Burn: how many times as fast as the budget allows; above 14.4 in the last hour somebody is paged.",
    {
        "yychat-engines": "when one engine burns the budget;",
        "yychat-upstream": "when both do.",
    },
    (
        stat(
            "Who is told",
            Query('max(alertmanager_integrations{job="alertmanager"}) > bool 2'),
            about="Whether Alertmanager has anybody to tell beside the service itself and the Watchdog's address."
            " The files in alertmanager/people bring two receivers, for pages and for tickets.",
            none="Alertmanager is not scraped: whether anybody is told is not known",
            unit="none",
            words=TOLD,
            width=8,
            excused=ALERTMANAGER,
        ),
        stat(
            "Answered: budget left",
            Query('min(job:yychat_answered_budget:left30d{job=~"$job"})'),
            about="What is left of the 0.5 % of chat requests that may fail within 30 days, every request weighing the same; below 0 the promise is broken.",
            none="no chat request in 30 days, or the first five minutes are not over",
            unit="percentunit",
            steps=BUDGET,
            leads=("yychat-engines", "yychat-upstream"),
            excused=RECORDED,
        ),
        stat(
            "Answered: burn",
            Query('max(job:yychat_answered_bad:ratio_rate1h{job=~"$job"}) / 0.005', "1 h"),
            Query('max(job:yychat_answered_bad:ratio_rate6h{job=~"$job"}) / 0.005', "6 h"),
            about="How many times as fast as allowed the budget is used. 1 uses it up in just 30 days.",
            none="no chat requests in that time",
            unit="none",
            steps=BURN,
            defaults={"decimals": 1},
            leads=("yychat-engines", "yychat-upstream"),
            excused=RECORDED,
        ),
        stat(
            "First token: budget left",
            Query('min(job:yychat_first_token_budget:left30d{job=~"$job"})'),
            about="What is left of the 5 % of streams that may wait longer than 2.5 s for their first token within 30 days.",
            none="no stream in 30 days, or the first five minutes are not over",
            unit="percentunit",
            steps=BUDGET,
            leads=("yychat-upstream",),
            excused=RECORDED,
        ),
        stat(
            "First token: burn",
            Query('max(job:yychat_first_token_bad:ratio_rate1h{job=~"$job"}) / 0.05', "1 h"),
            Query('max(job:yychat_first_token_bad:ratio_rate6h{job=~"$job"}) / 0.05', "6 h"),
            about="How many times as fast as allowed the budget is used.",
            none="no streams in that time",
            unit="none",
            steps=BURN,
            defaults={"decimals": 1},
            leads=("yychat-upstream",),
            excused=RECORDED,
        ),
    ),
)

TOTALS = Row(
    "In the time that is chosen above",
    "**How much was done, and how well?** Totals and averages of the chosen time: not of this moment.",
    {"yychat-memory": "for caches and memory;", "yychat-upstream": "for tokens and money."},
    (
        stat(
            "Chat requests",
            Query(
                'sum(increase(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__range]))'
            ),
            about="All chat requests, however they ended.",
            none="no process was scraped in that time",
            unit="short",
            leads=("yychat-engines",),
        ),
        stat(
            "Failed",
            Query(
                'sum(increase(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine",outcome=~"upstream_error|engine_error|timeout|internal_error"}[$__range]))'
                ' / (sum(increase(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__range])) > 0)'
            ),
            about="Share of the chat requests that failed by the upstream's fault, an engine's or the service's, or ran out of time.",
            none="no chat requests in that time",
            unit="percentunit",
            steps=((0.0, "green"), (0.005, "orange"), (0.05, "red")),
            leads=("yychat-engines", "yychat-upstream"),
        ),
        stat(
            "Average duration",
            Query(
                'sum(increase(http_server_request_duration_seconds_sum{job=~"$job",instance=~"$instance",http_route="/v1/chat/completions"}[$__range]))'
                ' / (sum(increase(http_server_request_duration_seconds_count{job=~"$job",instance=~"$instance",http_route="/v1/chat/completions"}[$__range])) > 0)'
            ),
            about="Mean time of a chat request from its first byte to the last one of its answer, streams and refused ones included.",
            none="no chat requests in that time",
            unit="s",
            leads=("yychat-upstream",),
        ),
        stat(
            "P95 duration",
            Query(
                'histogram_quantile(0.95, sum by (le) (increase(http_server_request_duration_seconds_bucket{job=~"$job",instance=~"$instance",http_route="/v1/chat/completions"}[$__range])))'
            ),
            about="95 % of the chat requests took no longer, to the next bound of the histogram.",
            none="no chat requests in that time",
            unit="s",
            leads=("yychat-upstream",),
        ),
        stat(
            "Cache hit rate",
            Query(
                'sum(increase(yychat_cache_requests_total{job=~"$job",instance=~"$instance",result="hit"}[$__range]))'
                ' / (sum(increase(yychat_cache_requests_total{job=~"$job",instance=~"$instance",tier="l1"}[$__range])) > 0)'
            ),
            about="Share of the questions to all caches that one of their tiers could answer. Every question asks the first tier.",
            none="no cache was asked in that time",
            unit="percentunit",
            leads=("yychat-memory",),
        ),
        stat(
            "Tokens",
            Query(
                'sum(increase(yychat_tokens_total{job=~"$job",instance=~"$instance",gen_ai_request_model=~"$model",type=~"input|output"}[$__range]))'
            ),
            about="Tokens that went in and came out, as upstreams counted them.",
            none="no answers in that time",
            unit="short",
            leads=("yychat-upstream",),
        ),
    ),
)

NOW = Row(
    "Now",
    "**Is it slower or failing, and since when?** Points on the lines of durations lead to a trace each. Vertical lines: changes of the selection, deploys, alerts.",
    {
        "yychat-engines": "when failures are engine errors;",
        "yychat-upstream": "when they are upstream errors or time-outs.",
    },
    (
        series(
            "Requests by outcome",
            Query(
                'sum by (outcome) (rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval]))',
                "{{outcome}}",
            ),
            about="Chat requests by how they ended, each counted at its end.",
            none="no process is scraped",
            unit="reqps",
            stacked=True,
            leads=("yychat-engines",),
        ),
        series(
            "Failures by outcome",
            Query(
                'sum by (outcome) (rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine",outcome=~"rejected|upstream_error|engine_error|timeout|internal_error"}[$__rate_interval]))',
                "{{outcome}}",
            ),
            about="Chat requests that failed, and those that were refused for lack of room or above a limit.",
            none="no process is scraped",
            unit="reqps",
            stacked=True,
            leads=("yychat-engines", "yychat-upstream"),
        ),
        series(
            "Failures by cause",
            Query(
                'topk(5, sum by (error_type) (rate(yychat_chat_errors_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])) > 0)',
                "{{error_type}}",
            ),
            about="The five most frequent causes, callers' mistakes included: `upstream_...` is the provider, `memory_...` and `engine_bug` an engine, `capacity` and `rate_limited` our limits, `internal` a bug.",
            none="nothing fails",
            unit="reqps",
            leads=("yychat-engines", "yychat-upstream"),
        ),
        series(
            "Duration",
            Query(
                'histogram_quantile(0.5, sum by (le) (rate(http_server_request_duration_seconds_bucket{job=~"$job",instance=~"$instance",http_route="/v1/chat/completions"}[$__rate_interval])))',
                "p50",
            ),
            Query(
                'histogram_quantile(0.95, sum by (le) (rate(http_server_request_duration_seconds_bucket{job=~"$job",instance=~"$instance",http_route="/v1/chat/completions"}[$__rate_interval])))',
                "p95",
                exemplar=True,
            ),
            Query(
                'histogram_quantile(0.99, sum by (le) (rate(http_server_request_duration_seconds_bucket{job=~"$job",instance=~"$instance",http_route="/v1/chat/completions"}[$__rate_interval])))',
                "p99",
            ),
            Query(
                'sum(rate(http_server_request_duration_seconds_sum{job=~"$job",instance=~"$instance",http_route="/v1/chat/completions"}[$__rate_interval]))'
                ' / (sum(rate(http_server_request_duration_seconds_count{job=~"$job",instance=~"$instance",http_route="/v1/chat/completions"}[$__rate_interval])) > 0)',
                "average",
            ),
            about="How long chat requests take, to the last byte.",
            none="no chat requests",
            unit="s",
            leads=("yychat-upstream",),
        ),
        series(
            "First token",
            Query(
                'histogram_quantile(0.5, sum by (le) (rate(gen_ai_server_time_to_first_token_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_agent_name=~"$engine",gen_ai_request_model=~"$model"}[$__rate_interval])))',
                "p50",
            ),
            Query(
                'histogram_quantile(0.95, sum by (le) (rate(gen_ai_server_time_to_first_token_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_agent_name=~"$engine",gen_ai_request_model=~"$model"}[$__rate_interval])))',
                "p95",
                exemplar=True,
            ),
            about="How long streams take to their first content, reasoning or tool call. The promise: 95 % within 2.5 s.",
            none="no streams",
            unit="s",
            steps=((2.5, "red"),),
            leads=("yychat-upstream",),
        ),
        series(
            "Streams without a first token",
            Query(
                'sum by (engine) (rate(yychat_first_token_failures_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval]))',
                "{{engine}}",
            ),
            about="Streams that failed before their first token: they break the promise as well.",
            none="no process is scraped",
            unit="reqps",
            leads=("yychat-engines",),
        ),
    ),
)

TIME = Row(
    "Where the time goes",
    "**Which part is slow?** The stages of a request follow one another and add up to it: what has grown is the cause.",
    {
        "yychat-upstream": "for upstream_first_byte, upstream_stream and tool;",
        "yychat-memory": "for recall_embed, recall_search and save;",
        "yychat-instances": "for auth, selection, prompt and other: our own work.",
    },
    (
        series(
            "Mean seconds per request by stage",
            Query(
                'sum by (stage) (rate(yychat_stage_duration_seconds_sum{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval]))'
                ' / on () group_left () (sum(rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])) > 0)',
                "{{stage}}",
            ),
            about="The mean chat request, cut into its stages; the height is its whole duration.",
            none="no chat requests",
            unit="s",
            stacked=True,
            width=16,
            leads=("yychat-upstream", "yychat-memory", "yychat-instances"),
        ),
        series(
            "What we add ourselves",
            Query(
                'histogram_quantile(0.5, sum by (le) (rate(yychat_overhead_duration_seconds_bucket{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])))',
                "p50",
            ),
            Query(
                'histogram_quantile(0.95, sum by (le) (rate(yychat_overhead_duration_seconds_bucket{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])))',
                "p95",
                exemplar=True,
            ),
            about="A request's time without upstream and tools: memory, limits, and our own work.",
            none="no chat requests",
            unit="s",
            leads=("yychat-memory", "yychat-instances"),
        ),
    ),
)

PARTS = Row(
    "What is well",
    "**Which part is not well, and who answers?** One bar for each part; red is not well.",
    {
        "yychat-engines": "when an engine is not well, or the selection has changed;",
        "yychat-memory": "for redis, memory and deliveries;",
        "yychat-upstream": "for an upstream;",
        "yychat-instances": "for processes and event loops.",
    },
    (
        timeline(
            "Health",
            Query(
                'min by (dependency) (yychat_dependency_up{job=~"$job",instance=~"$instance"})',
                "{{dependency}}",
            ),
            Query('min(up{job=~"$job",job=~"yychat.*",instance=~"$instance"})', "processes"),
            Query(
                'min(1 - (rate(yychat_event_loop_blocked_seconds_total{job=~"$job",instance=~"$instance"}[$__rate_interval]) > bool 0.1))',
                "event loops",
            ),
            Query(
                'min(1 - (yychat_redis_degraded{job=~"$job",instance=~"$instance"} > bool 0))',
                "Redis, as instances see it",
            ),
            Query(
                'min by (engine) (1 - (job_engine:yychat_engine_failed:ratio_increase1m{job=~"$job",engine=~"$engine"} > bool 0.2))',
                "answers of {{engine}}",
            ),
            Query(
                'min by (kind) (1 - (yychat_outbox_oldest_seconds{job=~"$job",instance=~"$instance"} > bool 120))',
                "deliveries to {{kind}}",
            ),
            about="Each part is well while the instance that sees it worst finds it well: dependencies as last probed; event loops blocked for less than a tenth of the time;"
            " engines with less than a fifth of their answers failing or without memory; deliveries that wait for less than two minutes.",
            none="no process is scraped",
            width=10,
            height=10,
            leads=("yychat-engines", "yychat-memory", "yychat-upstream", "yychat-instances"),
            excused=RECORDED,
        ),
        series(
            "Selection",
            Query(
                'max by (engine) (yychat_engine_weight{job=~"$job",instance=~"$instance",engine=~"$engine"})',
                "{{engine}}",
            ),
            about="Each engine's share of the traffic, by the instance that gives it most. Blue vertical lines are changes.",
            none="no process is scraped",
            unit="percentunit",
            width=5,
            height=10,
            defaults={"max": 1},
            leads=("yychat-engines",),
        ),
        table(
            "Firing alerts",
            Query('count by (alertname, severity) (ALERTS{alertstate="firing"})'),
            columns={"alertname": "Alert", "severity": "Severity", "Value": "How many"},
            about="What fires now. The Watchdog always does. docs/runbooks has a page for each, called as it is.",
            none="not even the Watchdog fires: rules are not evaluated",
            width=9,
            height=10,
            leads=("yychat-engines", "yychat-memory", "yychat-upstream", "yychat-instances"),
            excused=ALL_ALERTS,
        ),
        series(
            "In flight per instance",
            Query('min(yychat_inflight_requests{job=~"$job",instance=~"$instance"})', "least"),
            Query(
                'quantile(0.5, yychat_inflight_requests{job=~"$job",instance=~"$instance"})',
                "median",
            ),
            Query('max(yychat_inflight_requests{job=~"$job",instance=~"$instance"})', "most"),
            about="Admitted requests under way in the emptiest, the middle and the fullest instance.",
            none="no process is scraped",
            unit="short",
            leads=("yychat-instances",),
        ),
        series(
            "Responses by status",
            Query(
                'topk(5, sum by (http_response_status_code) (rate(yychat_http_responses_total{job=~"$job",instance=~"$instance",http_route=~"/v1/.*"}[$__rate_interval])))',
                "{{http_response_status_code}}",
            ),
            about="Responses of the API, the five most frequent statuses. A stream that breaks has a status of 200: see Failures by outcome.",
            none="no requests",
            unit="reqps",
            leads=("yychat-instances",),
        ),
        stat(
            "Instances",
            Query('sum(up{job=~"$job",job=~"yychat.*",instance=~"$instance"})', "up"),
            Query(
                'max(yychat_instances_registered{job=~"$job",instance=~"$instance"})', "registered"
            ),
            about="Processes that answer their scrape, and those that are registered with the service (workers included).",
            none="no process is scraped",
            unit="none",
            width=8,
            height=8,
            leads=("yychat-instances",),
        ),
    ),
)

BOARD = Board(
    "yychat-overview",
    "Is it well, and if not, which part is it? Everything here leads on to the board that knows more.",
    (PROMISES, TOTALS, NOW, TIME, PARTS),
)
