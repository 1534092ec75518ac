"""Engines: the two side by side."""

from panels import Board, Panel, Query, Row, series, stat

RECORDED = {"target-instance-rule": "recorded for all instances of a job together"}

WHO = Row(
    "Who answers",
    "**Who gets the traffic, who changed that, and do all instances agree?**",
    {
        "yychat-instances": "when instances disagree: which one is behind;",
        "yychat-overview": "for what else happened then.",
    },
    (
        series(
            "Share by instance",
            Query(
                'min by (engine) (yychat_engine_weight{job=~"$job",instance=~"$instance",engine=~"$engine"})',
                "{{engine}} least",
            ),
            Query(
                'quantile by (engine) (0.5, yychat_engine_weight{job=~"$job",instance=~"$instance",engine=~"$engine"})',
                "{{engine}} median",
            ),
            Query(
                'max by (engine) (yychat_engine_weight{job=~"$job",instance=~"$instance",engine=~"$engine"})',
                "{{engine}} most",
            ),
            about="The share of the traffic that instances give to an engine. Least and most differ where instances disagree.",
            none="no process is scraped",
            unit="percentunit",
            defaults={"max": 1},
            leads=("yychat-instances",),
        ),
        series(
            "Requests by engine",
            Query(
                'sum by (engine) (rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval]))',
                "{{engine}}",
            ),
            about="Chat requests by the engine that answered in the end; `none` were refused before there was one.",
            none="no process is scraped",
            unit="reqps",
            stacked=True,
        ),
        series(
            "Fallbacks",
            Query(
                'sum by (from_engine, to_engine) (rate(yychat_engine_fallbacks_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))',
                "{{from_engine}} to {{to_engine}}",
            ),
            about="Requests that one engine answered because the other one failed before its first word.",
            none="no process is scraped",
            unit="reqps",
            leads=("yychat-memory",),
        ),
        stat(
            "Changes of the selection",
            Query(
                'sum by (cause) (increase(yychat_engine_switches_total{job=~"$job",instance=~"$instance"}[$__range]))',
                "{{cause}}",
            ),
            about="Changes that processes made in the chosen time, by hand or by an alert. `yychat engines history` has who and why.",
            none="no process is scraped",
            unit="none",
            width=6,
            defaults={"decimals": 0},
        ),
        stat(
            "Revision",
            Query(
                'min(yychat_engine_selection_revision{job=~"$job",instance=~"$instance"})', "oldest"
            ),
            Query(
                'max(yychat_engine_selection_revision{job=~"$job",instance=~"$instance"})', "newest"
            ),
            about="The revision of the selection that instances follow. The two differ for seconds after a change, and not longer.",
            none="no process is scraped",
            unit="none",
            width=6,
            leads=("yychat-instances",),
        ),
        stat(
            "Rollbacks",
            Query(
                'sum by (engine, result) (increase(yychat_rollbacks_total{job=~"$job",instance=~"$instance"}[$__range]))',
                "{{engine}} {{result}}",
            ),
            about="What alerts that ask for a rollback came to: done, refused, or would (YYCHAT_AUTO_ROLLBACK is off). `GET /v1/alerts` has the reasons.",
            none="no alert asked for one",
            unit="none",
            width=12,
            defaults={"decimals": 0},
        ),
    ),
)


def stages(engine: str, *queries: Query) -> Panel:
    return series(
        f"Stages of {engine}",
        *queries,
        about=f"The mean chat request of {engine}, cut into its stages, which add up to it.",
        none="it gets no requests",
        unit="s",
        stacked=True,
        width=12,
        leads=("yychat-memory", "yychat-upstream"),
    )


SIDE_BY_SIDE = Row(
    "Side by side",
    "**Which of the two is better, in what?** Both ask the same upstreams: where they differ, the engine is the cause.",
    {
        "yychat-memory": "when one is degraded or slow in recall;",
        "yychat-upstream": "when both are slow or failing alike.",
    },
    (
        series(
            "Attempts by result",
            Query(
                'sum by (engine, result) (rate(yychat_engine_attempts_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval]))',
                "{{engine}} {{result}}",
            ),
            about="What engines came to, before any fallback. `memory_degraded` was answered without memory; `engine_error` failed by its own fault.",
            none="no process is scraped",
            unit="reqps",
            width=12,
            leads=("yychat-memory",),
        ),
        series(
            "Failed or without memory",
            Query(
                'max by (engine) (job_engine:yychat_engine_failed:ratio_increase1m{job=~"$job",engine=~"$engine"})',
                "{{engine}}",
            ),
            about="Share of an engine's attempts of the last minute that failed by its own fault, or went without memory. Above a fifth, of at least 20, it is rolled back or somebody is told.",
            none="no attempts in the last minute",
            unit="percentunit",
            steps=((0.2, "red"),),
            width=12,
            leads=("yychat-memory",),
            excused=RECORDED,
        ),
        stages(
            "chat_engine",
            Query(
                'sum by (stage) (rate(yychat_stage_duration_seconds_sum{job=~"$job",instance=~"$instance",engine="chat_engine"}[$__rate_interval]))'
                ' / on () group_left () (sum(rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine="chat_engine"}[$__rate_interval])) > 0)',
                "{{stage}}",
            ),
        ),
        stages(
            "mem0_proxy",
            Query(
                'sum by (stage) (rate(yychat_stage_duration_seconds_sum{job=~"$job",instance=~"$instance",engine="mem0_proxy"}[$__rate_interval]))'
                ' / on () group_left () (sum(rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine="mem0_proxy"}[$__rate_interval])) > 0)',
                "{{stage}}",
            ),
        ),
        series(
            "Duration by engine",
            Query(
                'histogram_quantile(0.5, sum by (le, gen_ai_agent_name) (rate(gen_ai_invoke_agent_duration_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_agent_name=~"$engine"}[$__rate_interval])))',
                "{{gen_ai_agent_name}} p50",
            ),
            Query(
                'histogram_quantile(0.95, sum by (le, gen_ai_agent_name) (rate(gen_ai_invoke_agent_duration_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_agent_name=~"$engine"}[$__rate_interval])))',
                "{{gen_ai_agent_name}} p95",
                exemplar=True,
            ),
            about="How long an engine takes for a whole answer.",
            none="no answers",
            unit="s",
            leads=("yychat-upstream",),
        ),
        series(
            "First token by engine",
            Query(
                'histogram_quantile(0.95, sum by (le, gen_ai_agent_name) (rate(gen_ai_server_time_to_first_token_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_agent_name=~"$engine",gen_ai_request_model=~"$model"}[$__rate_interval])))',
                "{{gen_ai_agent_name}} p95",
                exemplar=True,
            ),
            about="How long 95 % of an engine's streams take to their first token, at most. The promise: 2.5 s.",
            none="no streams",
            unit="s",
            steps=((2.5, "red"),),
            leads=("yychat-upstream", "yychat-memory"),
        ),
        series(
            "Our own time by engine",
            Query(
                'histogram_quantile(0.95, sum by (le, engine) (rate(yychat_overhead_duration_seconds_bucket{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])))',
                "{{engine}} p95",
                exemplar=True,
            ),
            about="A request's time without upstream and tools, by engine: mostly its memory.",
            none="no chat requests",
            unit="s",
            leads=("yychat-memory",),
        ),
        series(
            "Failures by engine",
            Query(
                'topk(5, sum by (engine, error_type) (rate(yychat_chat_errors_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])) > 0)',
                "{{engine}} {{error_type}}",
            ),
            about="The five most frequent causes of failed requests, by the engine that had them last.",
            none="nothing fails",
            unit="reqps",
            leads=("yychat-upstream",),
        ),
        series(
            "Memory in prompts",
            Query(
                'sum by (engine) (rate(yychat_memory_injected_tokens_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval]))'
                ' / (sum by (engine) (rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])) > 0)',
                "{{engine}}",
            ),
            about="Estimated tokens of memories in the mean prompt: what remembering costs.",
            none="nothing was recalled",
            unit="short",
            leads=("yychat-memory",),
        ),
        stat(
            "Attempts in the chosen time",
            Query(
                'sum by (engine) (increase(yychat_engine_attempts_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__range]))',
                "{{engine}}",
            ),
            about="How many answers each engine began: figures of an engine with a handful of them say little.",
            none="no process is scraped",
            unit="short",
            width=8,
            height=8,
        ),
    ),
)

BOARD = Board(
    "yychat-engines",
    "The two engines side by side: who answers, and who does it better.",
    (WHO, SIDE_BY_SIDE),
)
