"""Memory & cache: recall, what waits to be remembered, caches, Redis."""

from panels import Board, Query, Row, Words, series, stat

REDIS = {
    "target-job-rule": "the exporter is a job of its own",
    "target-instance-rule": "the exporter is no instance of the service",
}
UP: Words = {0: ("down", "red"), 1: ("up", "green")}

RECALL = Row(
    "Recall",
    "**Do answers know what was said, and does knowing it take too long?** A recall that misses its deadline is an answer without memory.",
    {
        "yychat-engines": "for what that does to each engine's answers;",
        "yychat-upstream": "when it is the embedding that is slow.",
    },
    (
        series(
            "Recalls by result",
            Query(
                'sum by (memory, result) (rate(yychat_memory_recalls_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))',
                "{{memory}} {{result}}",
            ),
            about="Recalls by what they came to: hit, empty, deadline (it took too long), error (the store or an embedder failed), skipped.",
            none="no process is scraped",
            unit="reqps",
            leads=("yychat-engines",),
        ),
        series(
            "Missed deadlines",
            Query(
                'sum by (memory) (rate(yychat_memory_recalls_total{job=~"$job",instance=~"$instance",result="deadline"}[$__rate_interval]))'
                ' / (sum by (memory) (rate(yychat_memory_recalls_total{job=~"$job",instance=~"$instance",result!="skipped"}[$__rate_interval])) > 0)',
                "{{memory}}",
            ),
            about="Share of the recalls that took longer than they may. Above a tenth for five minutes somebody is told.",
            none="nothing was recalled",
            unit="percentunit",
            steps=((0.1, "red"),),
            leads=("yychat-engines",),
        ),
        series(
            "Ways of searching",
            Query(
                'topk(5, sum by (memory, source) (rate(yychat_memory_recalls_total{job=~"$job",instance=~"$instance",result=~"hit|empty"}[$__rate_interval])))',
                "{{memory}} {{source}}",
            ),
            about="Recalls by what they searched with: lexical (words alone), both (words and meaning).",
            none="no process is scraped",
            unit="reqps",
        ),
        series(
            "Recall time",
            Query(
                'histogram_quantile(0.5, sum by (le, memory) (rate(yychat_memory_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance",operation="recall"}[$__rate_interval])))',
                "{{memory}} p50",
            ),
            Query(
                'histogram_quantile(0.95, sum by (le, memory) (rate(yychat_memory_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance",operation="recall"}[$__rate_interval])))',
                "{{memory}} p95",
                exemplar=True,
            ),
            about="How long a recall takes, its embedding included.",
            none="nothing was recalled",
            unit="s",
            leads=("yychat-upstream",),
        ),
        series(
            "Embedding",
            Query(
                'histogram_quantile(0.5, sum by (le) (rate(gen_ai_client_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_operation_name="embeddings"}[$__rate_interval])))',
                "p50",
            ),
            Query(
                'histogram_quantile(0.95, sum by (le) (rate(gen_ai_client_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance",gen_ai_operation_name="embeddings"}[$__rate_interval])))',
                "p95",
                exemplar=True,
            ),
            about="How long the embedder takes for one question of ours: of recall, and of callers. What mem0 embeds is not among them.",
            none="nothing was embedded, or there is no embedder",
            unit="s",
            leads=("yychat-upstream",),
        ),
        series(
            "Mean stage of recall",
            Query(
                'sum by (stage) (rate(yychat_stage_duration_seconds_sum{job=~"$job",instance=~"$instance",engine=~"$engine",stage=~"recall_embed|recall_search|save"}[$__rate_interval]))'
                ' / on () group_left () (sum(rate(yychat_chat_requests_total{job=~"$job",instance=~"$instance",engine=~"$engine"}[$__rate_interval])) > 0)',
                "{{stage}}",
            ),
            about="What memory costs the mean chat request: embedding the question, searching, and the write before the answer ends.",
            none="no chat requests",
            unit="s",
            stacked=True,
            leads=("yychat-engines",),
        ),
        series(
            "Memories per recall",
            Query(
                'sum by (memory) (rate(yychat_memory_recalled_records_sum{job=~"$job",instance=~"$instance"}[$__rate_interval]))'
                ' / (sum by (memory) (rate(yychat_memory_recalled_records_count{job=~"$job",instance=~"$instance"}[$__rate_interval])) > 0)',
                "{{memory}} found",
            ),
            Query(
                'sum by (memory) (rate(yychat_memory_duplicates_dropped_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))'
                ' / (sum by (memory) (rate(yychat_memory_recalled_records_count{job=~"$job",instance=~"$instance"}[$__rate_interval])) > 0)',
                "{{memory}} left out",
            ),
            about="How many memories the mean recall finds, and how many are left out as the prompt says the same already.",
            none="nothing was recalled",
            unit="short",
        ),
        series(
            "Score of the best memory",
            Query(
                'histogram_quantile(0.5, sum by (le, memory) (rate(yychat_memory_top_score_bucket{job=~"$job",instance=~"$instance"}[$__rate_interval])))',
                "{{memory}} median",
            ),
            about="How well the best memory fits the question, to the next bound of the histogram. The two memories have scales of their own: compare each with itself.",
            none="nothing with a score was found",
            unit="none",
        ),
        series(
            "Writing and erasing",
            Query(
                'topk(5, histogram_quantile(0.95, sum by (le, memory, operation) (rate(yychat_memory_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance",operation!="recall"}[$__rate_interval]))))',
                "{{memory}} {{operation}} p95",
                exemplar=True,
            ),
            about="How long memories take for what does not keep an answer waiting. mem0 asks models when it writes: that takes seconds.",
            none="nothing was written",
            unit="s",
        ),
    ),
)

WAITING = Row(
    "Not remembered yet",
    "**Does what is said get into memory?** Answered turns wait in the outbox, and are recalled from there all the same.",
    {
        "yychat-upstream": "when mem0's models are the cause;",
        "yychat-instances": "for the processes that deliver.",
    },
    (
        series(
            "Outbox",
            Query(
                'max by (kind) (yychat_outbox_pending{job=~"$job",instance=~"$instance"})',
                "{{kind}}",
            ),
            about="Turns that are not in their memory yet. All instances share them on one Redis, so the largest number seen is shown.",
            none="no process is scraped",
            unit="short",
            width=6,
        ),
        series(
            "Oldest turn",
            Query(
                'max by (kind) (yychat_outbox_oldest_seconds{job=~"$job",instance=~"$instance"})',
                "{{kind}}",
            ),
            about="How long the oldest of them has waited. Above two minutes somebody is told.",
            none="no process is scraped",
            unit="s",
            steps=((120.0, "red"),),
            width=6,
        ),
        series(
            "Deliveries",
            Query(
                'sum by (kind, result) (rate(yychat_outbox_jobs_total{job=~"$job",instance=~"$instance"}[$__rate_interval]))',
                "{{kind}} {{result}}",
            ),
            about="Deliveries by what they came to. What is retried a few times in vain is a dead letter.",
            none="no process is scraped",
            unit="ops",
            width=6,
        ),
        stat(
            "Dead letters",
            Query(
                'max by (kind) (yychat_outbox_dead{job=~"$job",instance=~"$instance"})', "{{kind}}"
            ),
            about="Turns that could not be delivered. `yychat outbox` shows, retries or drops them.",
            none="no process is scraped",
            unit="none",
            steps=((0.0, "green"), (1.0, "red")),
            width=3,
            height=8,
        ),
        stat(
            "On disk",
            Query('sum(yychat_spool_pending{job=~"$job",instance=~"$instance"})'),
            about="Turns that wait on instances' own disks for Redis, of all instances together.",
            none="no process is scraped",
            unit="none",
            steps=((0.0, "green"), (1.0, "orange")),
            width=3,
            height=8,
            leads=("yychat-instances",),
        ),
    ),
)

CACHES = Row(
    "Caches and stores",
    "**Do caches spare work, and are stores quick?** L1 is in the process, L2 in Redis.",
    {
        "yychat-overview": "for what it does to requests;",
        "yychat-instances": "when one instance's disk is slow.",
    },
    (
        series(
            "Hit rate",
            Query(
                'sum by (cache) (rate(yychat_cache_requests_total{job=~"$job",instance=~"$instance",result="hit"}[$__rate_interval]))'
                ' / (sum by (cache) (rate(yychat_cache_requests_total{job=~"$job",instance=~"$instance",tier="l1"}[$__rate_interval])) > 0)',
                "{{cache}}",
            ),
            about="Share of the questions to a cache that one of its tiers could answer.",
            none="no cache was asked",
            unit="percentunit",
            defaults={"max": 1},
        ),
        series(
            "Questions to caches",
            Query(
                'topk(5, sum by (cache, tier, result) (rate(yychat_cache_requests_total{job=~"$job",instance=~"$instance"}[$__rate_interval])))',
                "{{cache}} {{tier}} {{result}}",
            ),
            about="The five most frequent. `poison` could not be read and was thrown away; `error` is a tier that did not answer.",
            none="no cache was asked",
            unit="ops",
        ),
        series(
            "Store operations",
            Query(
                'topk(5, histogram_quantile(0.95, sum by (le, db_operation_name) (rate(db_client_operation_duration_seconds_bucket{job=~"$job",instance=~"$instance"}[$__rate_interval]))))',
                "{{db_operation_name}} p95",
                exemplar=True,
            ),
            about="How long questions to SQLite or Redis take, the wait for a turn included: the five slowest kinds.",
            none="no store was asked",
            unit="s",
            leads=("yychat-instances",),
        ),
    ),
)

SHARED = Row(
    "Redis",
    "**Is Redis there, and has it room?** Without it each instance goes on by itself: turns are spooled, limits are each instance's own.",
    {
        "yychat-instances": "when only some instances do without it.",
        "yychat-overview": "for what callers notice.",
    },
    (
        stat(
            "Redis",
            Query('min(redis_up{job="redis"})'),
            about="Whether the exporter reaches Redis.",
            none="there is no exporter of Redis",
            unit="none",
            words=UP,
            width=4,
            height=8,
            excused=REDIS,
        ),
        series(
            "Instances without Redis",
            Query('sum(yychat_redis_degraded{job=~"$job",instance=~"$instance"})', "instances"),
            about="Instances that leave Redis alone until it answers again. An instance that was started without Redis is none of them.",
            none="no process is scraped",
            unit="none",
            steps=((1.0, "red"),),
            width=6,
            leads=("yychat-instances",),
        ),
        series(
            "Redis memory",
            Query('max(redis_memory_used_bytes{job="redis"})', "used"),
            Query('max(redis_memory_max_bytes{job="redis"} > 0)', "allowed"),
            about="What Redis uses and may use. At 90 % somebody is told; a full Redis refuses writes. Without a line for what is allowed, it may use all of its host's.",
            none="there is no exporter of Redis",
            unit="bytes",
            width=7,
            excused=REDIS,
        ),
        series(
            "Commands and lost keys",
            Query(
                'sum(rate(redis_commands_processed_total{job="redis"}[$__rate_interval]))',
                "commands",
            ),
            Query(
                'sum(rate(redis_evicted_keys_total{job="redis"}[$__rate_interval]))', "evicted keys"
            ),
            Query(
                'sum(rate(redis_rejected_connections_total{job="redis"}[$__rate_interval]))',
                "refused connections",
            ),
            about="What Redis does in a second. Evicted may be keys of caches and nothing else.",
            none="there is no exporter of Redis",
            unit="ops",
            width=7,
            excused=REDIS,
        ),
    ),
)

BOARD = Board(
    "yychat-memory",
    "What answers know, what waits to be remembered, caches, and Redis.",
    (RECALL, WAITING, CACHES, SHARED),
)
