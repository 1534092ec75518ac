"""Upstream, tools & cost: whom we ask, and what it costs."""

from panels import Board, Query, Row, Words, series, stat, timeline

BREAKERS: Words = {0: ("closed", "green"), 1: ("half open", "orange"), 2: ("open", "red")}

ASKED = Row(
    "Upstreams",
    "**Does a provider fail, limit us, or take long?** Each attempt counts, also those that a retry made good.",
    {
        "yychat-overview": "for what callers notice of it;",
        "yychat-engines": "when no provider stands out, but an engine does.",
    },
    (
        series(
            "Attempts by result",
            Query(
                'topk(5, sum by (upstream, result) (rate(yychat_upstream_attempts_total{job=~"$job",instance=~"$instance"}[$__rate_interval])) > 0)',
                "{{upstream}} {{result}}",
            ),
            about="Attempts at upstreams, the five most frequent results. What was the caller's fault is not among them.",
            none="no upstream was asked",
            unit="reqps",
        ),
        series(
            "Failed attempts",
            Query(
                'topk(5, sum by (upstream) (rate(yychat_upstream_attempts_total{job=~"$job",instance=~"$instance",result=~"upstream_timeout|upstream_auth|upstream_5xx|upstream_connection|upstream_protocol"}[$__rate_interval]))'
                ' / (sum by (upstream) (rate(yychat_upstream_attempts_total{job=~"$job",instance=~"$instance",result!="cancelled"}[$__rate_interval])) > 0))',
                "{{upstream}} fails",
            ),
            Query(
                'topk(5, sum by (upstream) (rate(yychat_upstream_attempts_total{job=~"$job",instance=~"$instance",result="upstream_rate_limit"}[$__rate_interval]))'
                ' / (sum by (upstream) (rate(yychat_upstream_attempts_total{job=~"$job",instance=~"$instance"}[$__rate_interval])) > 0))',
                "{{upstream}} limits us",
            ),
            about="Share of the attempts that failed by the provider's fault, and of those that were answered with 429. Above a fifth somebody is paged.",
            none="nothing failed yet",
            unit="percentunit",
            steps=((0.2, "red"),),
        ),
        series(
            "Retries",
            Query(
                'topk(5, sum by (upstream, reason) (rate(yychat_upstream_retries_total{job=~"$job",instance=~"$instance"}[$__rate_interval])))',
                "{{upstream}} {{reason}}",
            ),
            about="Attempts that followed a failed one of the same request, and why.",
            none="nothing was tried again",
            unit="reqps",
        ),
        series(
            "Attempt duration",
            Query(
                'topk(5, histogram_quantile(0.5, sum by (le, gen_ai_provider_name) (rate(gen_ai_client_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_operation_name="chat",gen_ai_request_model=~"$model"}[$__rate_interval]))))',
                "{{gen_ai_provider_name}} p50",
            ),
            Query(
                'topk(5, histogram_quantile(0.95, sum by (le, gen_ai_provider_name) (rate(gen_ai_client_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_operation_name="chat",gen_ai_request_model=~"$model"}[$__rate_interval]))))',
                "{{gen_ai_provider_name}} p95",
                exemplar=True,
            ),
            about="How long one attempt at a model takes, whole answers and streams alike, by provider.",
            none="no model was asked",
            unit="s",
        ),
        series(
            "Duration by model",
            Query(
                'topk(5, histogram_quantile(0.95, sum by (le, gen_ai_operation_name, gen_ai_request_model) (rate(gen_ai_client_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_request_model=~"$model"}[$__rate_interval]))))',
                "{{gen_ai_operation_name}} {{gen_ai_request_model}} p95",
                exemplar=True,
            ),
            about="How long 95 % of the attempts at a model take, at most: the five slowest, embedders among them.",
            none="no model was asked",
            unit="s",
        ),
        timeline(
            "Breakers",
            Query(
                'topk(5, max by (target) (yychat_breaker_state{job=~"$job",instance=~"$instance"}))',
                "{{target}}",
            ),
            about="Closed: asked as usual. Open: left alone for a while, as too many attempts failed. Half open: one attempt is to show. As the instance sees it that sees it worst; the five worst.",
            none="no process is scraped",
            words=BREAKERS,
            leads=("yychat-instances",),
        ),
        series(
            "First token by model",
            Query(
                'topk(5, histogram_quantile(0.95, sum by (le, gen_ai_request_model) (rate(gen_ai_server_time_to_first_token_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_agent_name=~"$engine",gen_ai_request_model=~"$model"}[$__rate_interval]))))',
                "{{gen_ai_request_model}} p95",
                exemplar=True,
            ),
            about="How long 95 % of a model's streams take to their first token, at most. The promise: 2.5 s.",
            none="no streams",
            unit="s",
            steps=((2.5, "red"),),
        ),
        series(
            "Time per token",
            Query(
                'topk(5, histogram_quantile(0.95, sum by (le, gen_ai_request_model) (rate(gen_ai_server_time_per_output_token_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_agent_name=~"$engine",gen_ai_request_model=~"$model"}[$__rate_interval]))))',
                "{{gen_ai_request_model}} p95",
                exemplar=True,
            ),
            about="Time between two tokens of a stream, on average over one answer: how fast a model speaks.",
            none="no streams with more than one token",
            unit="s",
        ),
        series(
            "Mean stage upstream",
            Query(
                'sum by (stage) (rate(yychat_stage_duration_seconds_sum{job=~"$job",instance=~"$instance",engine=~"$engine",stage=~"upstream_first_byte|upstream_stream|tool"}[$__rate_interval]))'
                ' / on () group_left () (sum(rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])) > 0)',
                "{{stage}}",
            ),
            about="What waiting for models and tools costs the mean chat request.",
            none="no chat requests",
            unit="s",
            stacked=True,
        ),
    ),
)

TOOLS = Row(
    "Tools",
    "**Does a tool fail or take long?** A slow tool keeps its answer waiting, and only its.",
    {"yychat-overview": "for its share of the mean request: the stage tool."},
    (
        series(
            "Tool duration",
            Query(
                'topk(5, histogram_quantile(0.5, sum by (le, source) (rate(gen_ai_execute_tool_duration_seconds_bucket{job=~"$job",instance=~"$instance"}[$__rate_interval]))))',
                "{{source}} p50",
            ),
            Query(
                'topk(5, histogram_quantile(0.95, sum by (le, source) (rate(gen_ai_execute_tool_duration_seconds_bucket{job=~"$job",instance=~"$instance"}[$__rate_interval]))))',
                "{{source}} p95",
                exemplar=True,
            ),
            about="How long a call takes, by where the tool comes from: built in, or an MCP server.",
            none="no tool was called",
            unit="s",
        ),
        series(
            "Tool calls",
            Query(
                'topk(5, sum by (tool) (rate(yychat_tool_calls_total{job=~"$job",instance=~"$instance"}[$__rate_interval])))',
                "{{tool}}",
            ),
            about="The five tools that are called most.",
            none="no tool was called",
            unit="ops",
        ),
        series(
            "Tools that fail",
            Query(
                'topk(5, sum by (tool) (rate(yychat_tool_calls_total{job=~"$job",instance=~"$instance",result!="ok"}[$__rate_interval])) > 0)',
                "{{tool}}",
            ),
            about="Calls that did not do their work: the tool refused or failed, took too long, or the model called it wrongly. The model is told why.",
            none="no call has failed",
            unit="ops",
        ),
    ),
)

COST = Row(
    "Tokens and money",
    "**What does it cost, and which model costs it?** Costs need a price file (YYCHAT_PRICES_FILE).",
    {"yychat-instances": "for tenants: who asks so much."},
    (
        series(
            "Tokens per second",
            Query(
                'sum by (type) (rate(yychat_tokens_total{job=~"$job",instance=~"$instance",gen_ai_request_model=~"$model"}[$__rate_interval]))',
                "{{type}}",
            ),
            about="Tokens as upstreams counted them. Cached ones are a part of input, reasoning a part of output.",
            none="no answers",
            unit="short",
            leads=("yychat-instances",),
        ),
        series(
            "Tokens by model",
            Query(
                'topk(5, sum by (gen_ai_request_model) (rate(yychat_tokens_total{job=~"$job",instance=~"$instance",gen_ai_request_model=~"$model",type=~"input|output"}[$__rate_interval])))',
                "{{gen_ai_request_model}}",
            ),
            about="Tokens in and out by model, the five with the most.",
            none="no answers",
            unit="short",
        ),
        series(
            "Cost",
            Query(
                'topk(5, 3600 * sum by (gen_ai_request_model, currency) (rate(yychat_cost_total{job=~"$job",instance=~"$instance",gen_ai_request_model=~"$model"}[$__rate_interval])))',
                "{{gen_ai_request_model}} {{currency}}",
            ),
            about="What answers cost per hour, if it goes on like this, by the price file, each in its currency.",
            none="no price file, or no answer of a model that stands in it",
            unit="none",
            defaults={"decimals": 2},
        ),
        stat(
            "Cost in the chosen time",
            Query(
                'sum by (currency) (increase(yychat_cost_total{job=~"$job",instance=~"$instance",gen_ai_request_model=~"$model"}[$__range]))',
                "{{currency}}",
            ),
            about="What answers have cost, by the price file, each currency by itself.",
            none="no price file, or no answer of a model that stands in it",
            unit="none",
            width=8,
            defaults={"decimals": 2},
        ),
        stat(
            "Answers without a price",
            Query(
                'sum(increase(yychat_cost_unknown_total{job=~"$job",instance=~"$instance",gen_ai_request_model=~"$model"}[$__range]))'
            ),
            about="Answers of models that the price file does not know: their cost is missing above.",
            none="none, or there is no price file",
            unit="none",
            steps=((0.0, "green"), (1.0, "orange")),
            width=8,
            defaults={"decimals": 0},
        ),
        stat(
            "Estimated answers",
            Query(
                'sum(increase(yychat_usage_estimated_total{job=~"$job",instance=~"$instance",gen_ai_request_model=~"$model"}[$__range]))'
            ),
            about="Answers whose tokens are an estimate: the upstream told none, or was cut off.",
            none="none",
            unit="none",
            width=8,
            defaults={"decimals": 0},
        ),
    ),
)

BOARD = Board(
    "yychat-upstream",
    "Whom we ask and how they answer: providers, models, tools, and what it costs.",
    (ASKED, TOOLS, COST),
)
