"""Instances: the only board with a line for each process."""

from panels import Board, Query, Row, Words, series, stat, table, timeline

UP: Words = {0: ("down", "red"), 1: ("up", "green")}

THERE = Row(
    "Processes",
    "**Which processes are there, and is one unlike the others?** `instance` is host:slot, and stays the same over restarts.",
    {"yychat-overview": "when all are alike: then it is none of them."},
    (
        timeline(
            "Up",
            Query('up{job=~"$job",job=~"yychat.*",instance=~"$instance"}', "{{job}} {{instance}}"),
            about="Whether a process answers its scrape. One that left in order is not listed; one that died is, until it is replaced or forgotten (`yychat instances forget`).",
            none="Prometheus scrapes no process: look at its targets",
            words=UP,
            width=8,
        ),
        table(
            "Versions",
            Query(
                'max by (job, instance, version) (yychat_build_info{job=~"$job",instance=~"$instance"})'
                ' * on (job, instance) group_left (engine_set, store) max by (job, instance, engine_set, store) (yychat_config_info{job=~"$job",instance=~"$instance"})'
            ),
            columns={
                "job": "Job",
                "instance": "Instance",
                "version": "Version",
                "engine_set": "Engines",
                "store": "Store",
            },
            about="Which version runs where, with which engines and which store. All of them should be the same.",
            none="no process is scraped",
            width=16,
        ),
        series(
            "Starts",
            Query(
                'changes(process_start_time_seconds{job=~"$job",job=~"yychat.*",instance=~"$instance"}[15m])',
                "{{instance}}",
            ),
            about="How often a process started again within 15 minutes. More than three times is a crash loop.",
            none="no process is scraped",
            unit="none",
            steps=((3.0, "red"),),
        ),
        series(
            "Failure ratio by instance",
            Query(
                'job_instance:yychat_answered_bad:increase5m{job=~"$job",instance=~"$instance"}'
                ' / (job_instance:yychat_answered_all:increase5m{job=~"$job",instance=~"$instance"} > 0)',
                "{{instance}}",
            ),
            about="Share of an instance's chat requests of the last five minutes that were not answered. One alone above a fifth is an outlier.",
            none="no chat requests in five minutes",
            unit="percentunit",
            steps=((0.2, "red"),),
        ),
        series(
            "Requests by instance",
            Query(
                'sum by (instance) (rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval]))',
                "{{instance}}",
            ),
            about="Chat requests by the process that answered them: whether the balancer treats all alike.",
            none="no process is scraped",
            unit="reqps",
        ),
    ),
)

ROOM = Row(
    "Room",
    "**Is a process full, blocked, or leaking?** What blocks the event loop keeps every stream of that process waiting.",
    {
        "yychat-upstream": "when requests pile up as answers take long.",
        "yychat-overview": "for what callers notice.",
    },
    (
        series(
            "In flight",
            Query(
                'yychat_inflight_requests{job=~"$job",instance=~"$instance"} / (yychat_inflight_limit{job=~"$job",instance=~"$instance"} > 0)',
                "{{instance}}",
            ),
            about="Admitted requests under way, as a share of those that may be. Above 90 % for five minutes somebody is told; the next ones get 429.",
            none="no process is scraped",
            unit="percentunit",
            steps=((0.9, "red"),),
            leads=("yychat-upstream",),
        ),
        series(
            "Event loop",
            Query(
                'rate(yychat_event_loop_blocked_seconds_total{job=~"$job",instance=~"$instance"}[$__rate_interval])',
                "{{instance}}",
            ),
            about="Share of the time in which the event loop did not come round. Above a tenth somebody is told.",
            none="no process is scraped",
            unit="percentunit",
            steps=((0.1, "red"),),
        ),
        series(
            "Event loop lag",
            Query(
                'histogram_quantile(0.99, sum by (le, instance) (rate(yychat_event_loop_lag_seconds_bucket{job=~"$job",instance=~"$instance"}[$__rate_interval])))',
                "{{instance}} p99",
            ),
            about="How late the event loop is: what every request waits now and then.",
            none="no process is scraped",
            unit="s",
        ),
        series(
            "CPU",
            Query(
                'rate(process_cpu_seconds_total{job=~"$job",job=~"yychat.*",instance=~"$instance"}[$__rate_interval])',
                "{{instance}}",
            ),
            about="Cores that a process uses. Its event loop has one: near 1 it is full.",
            none="no process is scraped",
            unit="none",
            steps=((0.9, "red"),),
        ),
        series(
            "Memory",
            Query(
                'process_resident_memory_bytes{job=~"$job",job=~"yychat.*",instance=~"$instance"}',
                "{{instance}}",
            ),
            about="Memory that a process has. It grows with the owners that are warm, and levels off.",
            none="no process is scraped",
            unit="bytes",
        ),
        series(
            "Open files",
            Query(
                'process_open_fds{job=~"$job",job=~"yychat.*",instance=~"$instance"} / (process_max_fds{job=~"$job",job=~"yychat.*",instance=~"$instance"} > 0)',
                "{{instance}}",
            ),
            about="Open files and connections, as a share of those that a process may have.",
            none="no process is scraped",
            unit="percentunit",
            steps=((0.8, "red"),),
        ),
        series(
            "Garbage collections",
            Query(
                'sum by (instance) (rate(python_gc_collections_total{job=~"$job",job=~"yychat.*",instance=~"$instance",generation="2"}[$__rate_interval]))',
                "{{instance}}",
            ),
            about="Full collections of garbage in a second; each stops the process for some milliseconds.",
            none="no process is scraped",
            unit="ops",
        ),
        series(
            "Requests under way",
            Query('http_server_active_requests{job=~"$job",instance=~"$instance"}', "{{instance}}"),
            about="All requests under way, health checks and refused ones included.",
            none="no process is scraped",
            unit="short",
        ),
        series(
            "Without Redis",
            Query('yychat_redis_degraded{job=~"$job",instance=~"$instance"}', "{{instance}}"),
            Query(
                'yychat_spool_pending{job=~"$job",instance=~"$instance"}',
                "{{instance}} turns on disk",
            ),
            about="1 while a process leaves Redis alone, and the turns that wait on its disk for Redis.",
            none="no process is scraped",
            unit="short",
            leads=("yychat-memory",),
        ),
    ),
)

TENANTS = Row(
    "Tenants",
    "**Does one tenant take the others' room?** Tenants are those of the configured keys, the five busiest; all others are `other`.",
    {"yychat-upstream": "for what their tokens cost."},
    (
        series(
            "In flight by tenant",
            Query(
                'topk(5, sum by (tenant) (yychat_tenant_inflight_requests{job=~"$job",instance=~"$instance"})'
                ' / on () group_left () (sum(yychat_inflight_requests{job=~"$job",instance=~"$instance"}) > 0))',
                "{{tenant}}",
            ),
            about="A tenant's share of all requests under way. More than half while others are refused is noisy.",
            none="nothing is under way",
            unit="percentunit",
            steps=((0.5, "red"),),
        ),
        series(
            "Requests by tenant",
            Query(
                'topk(5, sum by (tenant, result) (rate(yychat_tenant_requests_total{job=~"$job",instance=~"$instance"}[$__rate_interval])))',
                "{{tenant}} {{result}}",
            ),
            about="Chat requests by tenant and how they ended.",
            none="no chat requests yet",
            unit="reqps",
        ),
        series(
            "Tokens by tenant",
            Query(
                'topk(5, sum by (tenant) (rate(yychat_tenant_tokens_total{job=~"$job",instance=~"$instance",type=~"input|output"}[$__rate_interval])))',
                "{{tenant}}",
            ),
            about="Tokens in and out by tenant.",
            none="no answers yet",
            unit="short",
            leads=("yychat-upstream",),
        ),
    ),
)

WATCHED = Row(
    "What watches",
    "**Can the boards be believed?** What is lost here is missing above.",
    {"yychat-overview": "when nothing is lost."},
    (
        series(
            "Telemetry",
            Query(
                'sum by (instance) (rate(yychat_telemetry_errors_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))',
                "{{instance}} errors",
            ),
            Query(
                'sum by (instance, signal) (rate(yychat_telemetry_dropped_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))',
                "{{instance}} {{signal}} dropped",
            ),
            Query(
                'sum by (instance, metric) (rate(yychat_series_dropped_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))',
                "{{instance}} {{metric}} has too many series",
            ),
            about="What telemetry itself failed at or dropped instead of waiting. Requests do not notice.",
            none="no process is scraped",
            unit="ops",
            width=12,
        ),
        series(
            "Scrapes",
            Query(
                'scrape_duration_seconds{job=~"$job",job=~"yychat.*",instance=~"$instance"}',
                "{{instance}}",
            ),
            about="How long a process takes to say its numbers. They are said by a thread of their own, also while the event loop is blocked.",
            none="no process is scraped",
            unit="s",
            width=6,
        ),
        series(
            "Series by instance",
            Query(
                'scrape_samples_scraped{job=~"$job",job=~"yychat.*",instance=~"$instance"}',
                "{{instance}}",
            ),
            about="Series that a process has. It has a bound of its own for each metric.",
            none="no process is scraped",
            unit="short",
            steps=((5000.0, "red"),),
            width=6,
        ),
        stat(
            "Alerts received",
            Query(
                'topk(5, sum by (alertname, status) (increase(yychat_alerts_received_total{job=~"$job",instance=~"$instance"}[$__range])))',
                "{{alertname}} {{status}}",
            ),
            about="Alerts that Alertmanager has sent to the service, which acts on those that ask for a rollback.",
            none="no alert was sent here",
            unit="none",
            width=12,
            defaults={"decimals": 0},
            leads=("yychat-engines",),
        ),
        stat(
            "Prometheus",
            Query(
                'sum(increase(prometheus_rule_evaluation_failures_total{job="prometheus"}[$__range]))',
                "rules that failed",
            ),
            Query(
                'sum(increase(prometheus_notifications_dropped_total{job="prometheus"}[$__range]))',
                "notifications dropped",
            ),
            Query(
                'sum(increase(alertmanager_notifications_failed_total{job="alertmanager"}[$__range]))',
                "notifications not sent",
            ),
            about="Whether alerts are found, handed over, and sent.",
            none="Prometheus or Alertmanager is not scraped",
            unit="none",
            steps=((0.0, "green"), (1.0, "red")),
            width=12,
            defaults={"decimals": 0},
            excused={
                "target-job-rule": "they are no processes of the service",
                "target-instance-rule": "they are no processes of the service",
            },
        ),
    ),
)

BOARD = Board(
    "yychat-instances",
    "Each process by itself, who takes its room, and whether what watches works.",
    (THERE, ROOM, TENANTS, WATCHED),
)
