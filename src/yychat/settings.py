"""Every setting of the service: read once from the environment, frozen, documented by itself.

docs/configuration.md is generated from here (``make docs``).
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from .engines.selection import EngineName
from .errors import ConfigurationError
from .tools.mcp.config import Server, read_servers


def _words(given: object) -> object:
    if isinstance(given, str):
        return tuple(word.strip() for word in given.split(",") if word.strip())
    return given


def _origin(given: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", given):
        raise ValueError("an origin is http(s)://host[:port], without a path and without *")
    return given


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


def _field(name: str, default: Any, meaning: str, **limits: Any) -> Any:
    return Field(default, validation_alias=name, description=meaning, **limits)


Origin = Annotated[str, AfterValidator(_origin)]


class Settings(BaseModel):
    """Names are environment variables. Secrets print as ``***``; each may be given as a file
    instead, by the same name with ``_FILE``."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    # Serving
    host: str = _field("YYCHAT_HOST", "127.0.0.1", "Address the service listens on.")
    port: int = _field("YYCHAT_PORT", 8000, "Port; 0 takes a free one.", ge=0, le=65535)
    data_dir: Path = _field(
        "YYCHAT_DATA_DIR",
        Path("data"),
        "Folder of the SQLite file and of the owner secret. Back it up.",
    )
    drain_seconds: float = _field(
        "YYCHAT_DRAIN_SECONDS",
        0.0,
        "After SIGTERM, keep accepting for this long while /readyz says 503 (for load balancers).",
        ge=0,
    )
    shutdown_seconds: int = _field(
        "YYCHAT_SHUTDOWN_SECONDS",
        30,
        "How long answers under way may take to finish after that.",
        ge=0,
    )
    request_timeout: float = _field(
        "YYCHAT_REQUEST_TIMEOUT", 300.0, "Seconds for a whole chat request; then 504.", gt=0
    )
    max_body: int = _field(
        "YYCHAT_MAX_BODY", 4 * 1024 * 1024, "Largest request body in bytes.", gt=0
    )
    max_inflight: int = _field(
        "YYCHAT_MAX_INFLIGHT", 512, "Chat and embedding requests under way in a process.", ge=1
    )
    max_inflight_per_tenant: int | None = _field(
        "YYCHAT_MAX_INFLIGHT_PER_TENANT", None, "The same of one tenant. Unset: half of it.", ge=1
    )
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(_words)] = _field(
        "YYCHAT_CORS_ORIGINS", (), "Browser origins that may call, comma-separated. Empty: none."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _field(
        "YYCHAT_LOG_LEVEL", "INFO", "How much is logged."
    )

    log_format: Literal["auto", "json", "text"] = _field(
        "YYCHAT_LOG_FORMAT", "auto", "Log lines as JSON, or as text; auto is text on a terminal."
    )

    # Telemetry
    telemetry: bool = _field(
        "YYCHAT_TELEMETRY", True, "Watch requests: metrics, traces and performance records."
    )
    trace_sample_ratio: float = _field(
        "YYCHAT_TRACE_SAMPLE_RATIO",
        1.0,
        "Share of the traces that are sent on; metrics count everything whatever it is.",
        ge=0,
        le=1,
    )
    trace_content: bool = _field(
        "YYCHAT_TRACE_CONTENT", False, "Let spans hold what users and models say. Think first."
    )
    prices_file: Path | None = _field(
        "YYCHAT_PRICES_FILE",
        None,
        "JSON of what models cost for a million tokens:"
        ' {"MODEL": {"input": 2.5, "output": 10, "cached": 1.25, "currency": "USD"}}.',
    )
    otlp_endpoint: str | None = _field(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        None,
        "Where traces are sent, by OTLP over HTTP (http://tempo:4318). Unset: nowhere.",
    )

    # Metrics
    metrics_host: str = _field("YYCHAT_METRICS_HOST", "127.0.0.1", "Address that scrapers come to.")
    metrics_port: int = _field(
        "YYCHAT_METRICS_PORT",
        9464,
        "Port for scrapers; each process takes the first free one from there on. 0: none.",
        ge=0,
        le=65535,
    )
    metrics_token: SecretStr | None = _field(
        "YYCHAT_METRICS_TOKEN", None, "What scrapers have to know. Unset: nothing."
    )
    metrics_advertise: str | None = _field(
        "YYCHAT_METRICS_ADVERTISE",
        None,
        "Host that Prometheus is told to scrape. Unset: YYCHAT_METRICS_HOST, or this host's name"
        " where that is every address.",
    )

    # Keys
    api_keys: SecretStr | None = _field(
        "YYCHAT_API_KEYS", None, "Keys as the JSON that `yychat keys new` prints. Unset: keyless."
    )
    api_keys_file: Path | None = _field(
        "YYCHAT_API_KEYS_FILE", None, "The same in a file, read again within 10 s of a change."
    )
    allow_keyless: bool = _field(
        "YYCHAT_ALLOW_KEYLESS", False, "Let a keyless service listen beyond loopback."
    )

    # Alerts
    alert_token: SecretStr | None = _field(
        "YYCHAT_ALERT_TOKEN", None, "What Alertmanager has to know. Unset: no alerts are taken."
    )
    auto_rollback: bool = _field(
        "YYCHAT_AUTO_ROLLBACK",
        False,
        "Let an alert move traffic away from a failing engine. Off: it is only noted.",
    )
    alertmanager_url: str | None = _field(
        "YYCHAT_ALERTMANAGER_URL",
        None,
        "Where Alertmanager is: `yychat check` asks it whether anybody will be paged.",
    )

    # Upstream
    openai_api_key: SecretStr | None = _field("OPENAI_API_KEY", None, "Key for the upstream.")
    openai_base_url: str | None = _field(
        "OPENAI_BASE_URL",
        None,
        "The upstream. Unset: OpenAI's own if there is a key, else the built-in simulator.",
    )
    openai_model: str | None = _field("OPENAI_MODEL", None, "Model for requests that name none.")
    upstreams_file: Path | None = _field(
        "YYCHAT_UPSTREAMS_FILE",
        None,
        "Several upstreams in order of preference; see docs/operations.md.",
    )
    models: Words = _field(
        "YYCHAT_MODELS", (), "Models callers may use, comma-separated. Empty: all the upstream has."
    )
    connect_timeout: float = _field(
        "YYCHAT_CONNECT_TIMEOUT", 5.0, "Seconds to reach the upstream.", gt=0
    )
    first_byte_timeout: float = _field(
        "YYCHAT_FIRST_BYTE_TIMEOUT", 60.0, "Seconds until a streamed answer has to begin.", gt=0
    )
    idle_timeout: float = _field(
        "YYCHAT_IDLE_TIMEOUT", 60.0, "Seconds between two pieces of a streamed answer.", gt=0
    )
    retries: int = _field(
        "YYCHAT_RETRIES", 2, "Times the upstream is asked again before its first byte.", ge=0, le=10
    )
    context_tokens: int = _field(
        "YYCHAT_CONTEXT_TOKENS", 128_000, "What the model takes in, in tokens.", ge=1_000
    )

    # Redis
    redis_url: SecretStr | None = _field(
        "REDIS_URL", None, "Redis that instances share; rediss:// for TLS. Unset: no Redis."
    )
    redis_host: str | None = _field("REDIS_HOST", None, "The same in parts.")
    redis_port: int = _field("REDIS_PORT", 6379, "With REDIS_HOST.", ge=1, le=65535)
    redis_db: int = _field("REDIS_DB", 0, "With REDIS_HOST.", ge=0)
    redis_password: SecretStr | None = _field("REDIS_PASSWORD", None, "With REDIS_HOST.")
    redis_ttl: int = _field("REDIS_TTL", 1_800, "Seconds that cached values live.", ge=1)
    redis_timeout_ms: int = _field(
        "YYCHAT_REDIS_TIMEOUT_MS", 100, "Milliseconds one request waits for Redis in all.", gt=0
    )
    workers_in_serve: bool = _field(
        "YYCHAT_WORKERS_IN_SERVE",
        True,
        "Deliver turns to memory in `serve` too. Off: only `yychat work` does (needs Redis).",
    )

    # Answers
    chat_engine: EngineName = _field(
        "CHAT_ENGINE",
        "chat_engine",
        "Engine of the very first start; after that `yychat engines` and the API choose.",
    )
    default_personality: str | None = _field(
        "YYCHAT_PERSONALITY", None, "Personality for requests that name none."
    )
    personalities_dir: Path | None = _field(
        "YYCHAT_PERSONALITIES_DIR", None, "Folder of your own personalities (JSON files)."
    )
    use_tools: bool = _field(
        "YYCHAT_USE_TOOLS",
        True,
        "Offer the service's tools to requests that do not say `use_tools`.",
    )
    tool_timeout: float = _field("YYCHAT_TOOL_TIMEOUT", 10.0, "Seconds for one tool call.", gt=0)
    tool_rounds: int = _field(
        "YYCHAT_TOOL_ROUNDS", 8, "Rounds with tools in one answer.", ge=1, le=64
    )
    tool_wall: float = _field(
        "YYCHAT_TOOL_WALL_SECONDS", 60.0, "After this many seconds the model has to answer.", gt=0
    )
    mcp_config: Path | None = _field(
        "YYCHAT_MCP_CONFIG",
        None,
        "JSON file of MCP servers whose tools are offered too (needs the extra `mcp`); see"
        " docs/operations.md.",
    )
    timezone: str = _field(
        "YYCHAT_TIMEZONE", "UTC", "Zone of the gettime tool when none is asked for."
    )
    tavily_api_key: SecretStr | None = _field(
        "TAVILY_API_KEY", None, "Turns the tavily_search tool on."
    )
    tavily_base_url: str = _field("TAVILY_BASE_URL", "https://api.tavily.com", "Where Tavily is.")

    # Memory
    memory_recall: bool = _field("YYCHAT_MEMORY_RECALL", True, "Recall past turns into the prompt.")
    memory_deadline_ms: int = _field(
        "YYCHAT_MEMORY_DEADLINE_MS",
        300,
        "Milliseconds a recall may take; then the answer goes on without.",
        gt=0,
    )
    memory_records: int = _field(
        "YYCHAT_MEMORY_RECORDS", 10, "Most past messages recalled for one answer.", ge=1, le=100
    )
    memory_tokens: int = _field("YYCHAT_MEMORY_TOKENS", 1_500, "Most tokens they may take.", ge=0)
    memory_save: Literal["both", "user", "assistant"] = _field(
        "YYCHAT_MEMORY_SAVE", "both", "Which side of a turn is remembered."
    )
    memory_turns: int = _field(
        "YYCHAT_MEMORY_TURNS", 5_000, "Turns kept per owner; the oldest go first.", ge=1
    )
    memory_days: int = _field(
        "YYCHAT_MEMORY_DAYS", 0, "Days a turn is kept; 0 keeps it for good.", ge=0
    )
    embedding_model: str | None = _field(
        "YYCHAT_EMBEDDING_MODEL", None, "Model for recall by meaning, beside recall by words."
    )
    owner_secret_file: Path | None = _field(
        "YYCHAT_OWNER_SECRET_FILE",
        None,
        "Secret that hides owners' ids; the same for all instances. Unset: one in the data folder.",
    )
    sqlite_sync: Literal["normal", "full"] = _field(
        "YYCHAT_SQLITE_SYNC",
        "normal",
        "`full` survives power loss at the price of an fsync per commit.",
    )

    # mem0 (the memory of mem0_proxy)
    mem0_store: Literal["auto", "chroma", "pgvector"] = _field(
        "MEM0_STORE",
        "auto",
        "Where mem0 keeps its vectors: `chroma` in the data folder (needs the extra `mem0-local`), "
        "`pgvector` in MEM0_DATABASE_URL (`mem0-pgvector`). `auto`: pgvector if that is set.",
    )
    mem0_database_url: SecretStr | None = _field(
        "MEM0_DATABASE_URL",
        None,
        "PostgreSQL with pgvector that instances share, as postgresql://user:password@host/name.",
    )
    mem0_model: str | None = _field(
        "MEM0_MODEL", None, "Model that extracts facts for mem0. Unset: OPENAI_MODEL."
    )
    mem0_embedding_model: str | None = _field(
        "MEM0_EMBEDDING_MODEL",
        None,
        "Model that embeds for mem0; a store keeps to one. Unset: YYCHAT_EMBEDDING_MODEL.",
    )
    mem0_timeout: float = _field(
        "MEM0_TIMEOUT", 60.0, "Seconds for one extraction; nobody waits for it.", gt=0
    )

    # What the MCP configuration's ${NAME} stand for.
    _environment: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read *environ*; an empty variable counts as unset.

        Raises ``ConfigurationError`` that names the variable, also for a ``YYCHAT_*`` that
        does not exist.
        """
        known = {str(field.validation_alias) for field in cls.model_fields.values()}
        secrets = cls.secrets()
        given = {n: v for n, v in environ.items() if n in known and v}
        for name in sorted(environ):
            if name in secrets and environ[name]:
                given[secrets[name]] = _secret(name, Path(environ[name]))
            elif name.startswith("YYCHAT_") and name not in known and name not in secrets:
                raise ConfigurationError(_unknown(name, known | set(secrets)))
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            raise ConfigurationError(_refused(error)) from None
        settings._environment = dict(environ)
        return settings

    def mcp_servers(self) -> list[Server]:
        """The MCP servers that are configured. Raises ``ConfigurationError``."""
        if self.mcp_config is None:
            return []
        return read_servers(self.mcp_config, self._environment, self.tool_timeout)

    @property
    def redis(self) -> str | None:
        """Redis' address, whole or put together; None without Redis."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        if self.redis_host is None:
            return None
        password = self.redis_password.get_secret_value() if self.redis_password else ""
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis://{login}{self.redis_host}:{self.redis_port}/{self.redis_db}"

    @classmethod
    def secrets(cls) -> dict[str, str]:
        """The ``_FILE`` form of every secret, and the variable it stands for."""
        names = [
            str(f.validation_alias)
            for f in cls.model_fields.values()
            if f.annotation == SecretStr | None
        ]
        return {f"{name}_FILE": name for name in names if name != "YYCHAT_API_KEYS"}


def _secret(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{name}: {path} cannot be read") from error


def _unknown(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; docs/configuration.md lists them all"
    return f"{name} is not a setting{hint}"


def _refused(error: ValidationError) -> str:
    """What is wrong, variable by variable, without the values: some are secrets."""
    return "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
