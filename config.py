"""Deployment settings, from the environment only; what the assessment office may change is data.

`KAOJI_HOME` is the data folder (keys, database, broker files). Nothing absolute is stored in it, so a
folder at rest may be copied or moved.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import secrets
from datetime import timedelta
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
TRIAL, PRODUCTION = "trial", "production"
SHORTEST_KEY = 32
OWN_HOSTS = ("127.0.0.1", "localhost", "[::1]")
RUN_FILE = "run.json"
CATALOGUE = PROJECT / "translations" / "zh" / "LC_MESSAGES" / "messages.mo"
# The longest a page waits for the database, in seconds; jobs and commands may take their time.
PAGE_PATIENCE, WORK_PATIENCE = 6, 600
NO_BROKER = "redis://127.0.0.1:9/0"
PASSWORD_HASH = "scrypt:131072:8:1"  # noqa: S105 - a method, not a password


def home() -> Path:
    """The data folder; made by `flask init` or the launcher."""
    return Path(os.environ.get("KAOJI_HOME") or PROJECT / "instance").resolve()


def mode() -> str:
    """`trial` (default) or `production`."""
    chosen = os.environ.get("KAOJI_MODE", TRIAL)
    if chosen not in (TRIAL, PRODUCTION):
        raise SystemExit(f"KAOJI_MODE must be {TRIAL} or {PRODUCTION}, not {chosen!r}")
    return chosen


def bind() -> tuple[str, int]:
    """The address the portal listens on."""
    said = os.environ.get("KAOJI_BIND", "127.0.0.1:8080")
    host, _, port = said.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    is_port = port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536
    try:
        known = host == "localhost" or ipaddress.ip_address(host) is not None
    except ValueError:
        known = False
    if not (is_port and known):
        raise SystemExit(f"KAOJI_BIND must be an address and a port, like 0.0.0.0:8080 or [::]:8080, not {said!r}")
    return host, int(port)


def loopback_of(host: str) -> str:
    """Where this machine reaches itself when it listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def shown_address() -> str:
    """The address for people at this machine."""
    host, port = bind()
    near = loopback_of(host)
    return f"http://[{near}]:{port}/" if ":" in near else f"http://{near}:{port}/"


def hosts() -> list[str]:
    """The names under which people may open the portal, from KAOJI_HOSTS, KAOJI_URL and the address it listens on."""
    named = [name.strip() for name in os.environ.get("KAOJI_HOSTS", "").split(",") if name.strip()]
    url = public_url().partition("://")[2].partition("/")[0]
    if url:
        named.append(url.rpartition(":")[0] if url.rpartition(":")[2].isdigit() else url)
    host, _ = bind()
    own = f"[{host}]" if ":" in host else host
    return [*OWN_HOSTS, own, *named]


def proxies() -> int:
    """How many reverse proxies stand before the portal, each of which adds the address it heard from."""
    said = os.environ.get("KAOJI_PROXIES", "0")
    if said not in ("0", "1", "2", "3"):
        raise SystemExit(f"KAOJI_PROXIES must be the number of proxies before the portal, 0 to 3, not {said!r}")
    return int(said)


def certificates() -> str:
    """The file of certificates that mail and robots are checked against; blank: those of the system."""
    said = os.environ.get("KAOJI_CA_FILE", "")
    if said and not os.access(said, os.R_OK):
        raise SystemExit(f"KAOJI_CA_FILE names a file that cannot be read: {said!r}")
    return said


def whole(name: str, default: int, *, least: int, most: int) -> int:
    """A whole number of the environment, within its bounds."""
    said = os.environ.get(name) or str(default)
    if not (said.isascii() and said.isdigit() and least <= int(said[:9]) <= most):
        raise SystemExit(f"{name} must be a whole number from {least} to {most}, not {said!r}")
    return int(said)


def database_url() -> str:
    """The database: SQLite in the data folder, or what `DATABASE_URL` says."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        return f"sqlite:///{home() / 'kaoji.db'}"
    for old in ("postgres://", "postgresql://"):
        if url.startswith(old):
            return "postgresql+psycopg://" + url.removeprefix(old)
    return url


def secret(name: str, folder: Path | None = None) -> str:
    """Read a secret of the data folder, making it at first use, readable by the owner alone."""
    path = (folder or home()) / name
    try:
        if not path.exists():
            _keep(path, secrets.token_urlsafe(48))
        value = path.read_text().strip()
    except OSError as fault:
        raise SystemExit(f"The key {path} cannot be read or written: {fault.strerror}") from fault
    if len(value) < SHORTEST_KEY:
        raise SystemExit(
            f"The key {path} is shorter than {SHORTEST_KEY} characters: refusing to start. "
            "Put the key of your backup there; where nothing is stored yet, remove the file and a new one is made."
        )
    return value


def _keep(path: Path, value: str) -> None:
    """Write a small file whole or not at all, readable by the owner alone; who was first keeps what he wrote."""
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def anchors() -> Path:
    """The file of the trace's daily anchors; `KAOJI_ANCHORS` puts it on another disk or machine."""
    said = os.environ.get("KAOJI_ANCHORS")
    return Path(said) if said else home() / "trace_anchors"


def secret_key() -> str:
    """The key that signs cookies: of the data folder, or `KAOJI_SECRET_KEY` where several machines share one."""
    said = os.environ.get("KAOJI_SECRET_KEY")
    if said is None:
        return secret("secret_key")
    if len(said) < SHORTEST_KEY:
        raise SystemExit(f"KAOJI_SECRET_KEY is shorter than {SHORTEST_KEY} characters: refusing to start")
    return said


def public_url() -> str:
    """Where people open the portal, for links in messages that leave it; blank: messages carry no link."""
    return os.environ.get("KAOJI_URL", "").rstrip("/")


def broker_url() -> str:
    """Where Celery finds its broker: `BROKER_URL`, else the one the launcher of this data folder runs.

    Without either there is none to be found: an address where nobody listens, never somebody else's broker.
    """
    said = os.environ.get("BROKER_URL")
    if said:
        return said
    try:
        port = int(json.loads((home() / RUN_FILE).read_text())["broker_port"])
        return f"redis://:{secret('broker_password')}@127.0.0.1:{port}/0"
    except (OSError, ValueError, KeyError, TypeError):
        return NO_BROKER


def engine_options(url: str, patience: int) -> dict[str, object]:
    """Nobody waits for a database for ever: not for a connection, a lock, a statement, or a place in the pool.

    Source: trust demand RE-08.
    """
    if not url.startswith("postgresql"):
        return {}
    return {
        "pool_pre_ping": True,
        "pool_timeout": 5,
        "pool_size": 8,
        "max_overflow": 8,
        "connect_args": {
            "patience": patience,
            "connect_timeout": 2,
            "tcp_user_timeout": 8000,
            "keepalives_idle": 10,
            "options": f"-c statement_timeout={patience * 1000} -c lock_timeout={min(patience, 15) * 1000}"
            " -c idle_in_transaction_session_timeout=900000",
        },
    }


def settings() -> dict[str, object]:
    """Everything Flask, FAB and Celery are told."""
    tick = whole("KAOJI_TICK_SECONDS", 30, least=1, most=300)
    return {
        "SECRET_KEY": secret_key(),
        "SQLALCHEMY_DATABASE_URI": database_url(),
        "SQLALCHEMY_TRACK_MODIFICATIONS": False,
        "MAX_CONTENT_LENGTH": 21 * 1024 * 1024,
        "MAX_FORM_PARTS": 500,
        "TRUSTED_HOSTS": hosts(),
        "FAB_SAFE_REDIRECT_HOSTS": hosts(),
        "KAOJI_PROXIES": proxies(),
        "DATABASE_PATIENCE": WORK_PATIENCE,
        "SESSION_COOKIE_NAME": "kaoji",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": bool(whole("KAOJI_TLS", 0, least=0, most=1)),
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
        "KAOJI_IDLE_TIMEOUT": timedelta(minutes=whole("KAOJI_IDLE_MINUTES", 15, least=1, most=720)),
        "KAOJI_MODE": mode(),
        "TICK_EVERY": timedelta(seconds=tick),
        "JOB_LEASE": timedelta(seconds=whole("KAOJI_LEASE_SECONDS", 60, least=1, most=3600)),
        "KAOJI_CA_FILE": certificates(),
        "APP_NAME": "Kaoji",
        "APP_THEME": "",
        "APP_ICON": "",
        "FAB_BASE_TEMPLATE": "layout.html",
        "FAB_INDEX_VIEW": "app.views.desk.workbench.WorkbenchView",
        "FAB_SECURITY_MANAGER_CLASS": "app.security.manager.HouseSecurityManager",
        "FAB_UPDATE_PERMS": False,
        "FAB_CREATE_DB": False,
        "FAB_ADD_SECURITY_API": False,
        "FAB_ADD_MENU_API": False,
        "FAB_API_KEY_ENABLED": False,
        "FAB_OPENAPI_SERVERS": [],
        "FAB_PASSWORD_HASH_METHOD": PASSWORD_HASH,
        "AUTH_TYPE": 1,
        "AUTH_ROLE_PUBLIC": "Public",
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_I18N_ENABLED": True,
        "BABEL_DEFAULT_LOCALE": "zh",
        "BABEL_DEFAULT_TIMEZONE": "Asia/Shanghai",
        "BABEL_TRANSLATION_DIRECTORIES": str(PROJECT / "translations"),
        "LANGUAGES": {"zh": {"flag": "cn", "name": "Chinese"}, "en": {"flag": "gb", "name": "English"}},
        "CELERY": {
            "broker_url": broker_url(),
            "broker_transport": "app.broker:Transport",
            "task_ignore_result": True,
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "worker_prefetch_multiplier": 1,
            "task_time_limit": 900,
            "task_soft_time_limit": 840,
            "task_serializer": "json",
            "accept_content": ["json"],
            "broker_transport_options": {
                "visibility_timeout": 1800,
                "unacked_restore_interval": 5,
                "unacked_restore_throttle": 1,
                # A broker that hangs with its port open must not hold a worker for ever; and who cannot connect says so
                # at once instead of trying on by himself: the next ring tries again.
                "socket_connect_timeout": 3,
                "socket_timeout": 10,
                "max_retries": 0,
            },
            "broker_connection_retry_on_startup": True,
            "broker_connection_max_retries": None,
            "worker_cancel_long_running_tasks_on_connection_loss": False,
            "worker_max_tasks_per_child": 200,
            "timezone": "Asia/Shanghai",
            "enable_utc": True,
            "beat_schedule": {
                "tick": {"task": "tick", "schedule": tick, "options": {"expires": max(1, tick - 5)}},
            },
        },
    }
