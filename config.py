"""Deployment settings, from the environment only; what the assessment office may change is data.

`KAOJI_HOME` is the data folder (keys, database, broker files). Nothing absolute is stored in it, so a
folder at rest may be copied or moved.
"""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
TRIAL, PRODUCTION = "trial", "production"
SHORTEST_KEY = 32
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
    host, _, port = os.environ.get("KAOJI_BIND", "127.0.0.1:8080").rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


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
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
    value = path.read_text().strip()
    if len(value) < SHORTEST_KEY:
        raise SystemExit(f"{name} is shorter than {SHORTEST_KEY} characters: refusing to start")
    return value


def public_url() -> str:
    """Where people open the portal, for links in messages that leave it; blank: messages carry no link."""
    return os.environ.get("KAOJI_URL", "").rstrip("/")


def broker_url() -> str:
    """Where Celery finds its broker; the launcher sets it for its children."""
    return os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")


def settings() -> dict[str, object]:
    """Everything Flask, FAB and Celery are told."""
    host, _ = bind()
    tick = int(os.environ.get("KAOJI_TICK_SECONDS", "30"))
    hosts = [name for name in os.environ.get("KAOJI_HOSTS", "").split(",") if name]
    return {
        "SECRET_KEY": os.environ.get("KAOJI_SECRET_KEY") or secret("secret_key"),
        "SQLALCHEMY_DATABASE_URI": database_url(),
        "SQLALCHEMY_TRACK_MODIFICATIONS": False,
        "MAX_CONTENT_LENGTH": 21 * 1024 * 1024,
        "MAX_FORM_PARTS": 500,
        "TRUSTED_HOSTS": ["127.0.0.1", "localhost", "[::1]", host, *hosts],
        "FAB_SAFE_REDIRECT_HOSTS": ["127.0.0.1", "localhost", host, *hosts],
        "SESSION_COOKIE_NAME": "kaoji",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": os.environ.get("KAOJI_TLS") == "1",
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
        "KAOJI_IDLE_TIMEOUT": timedelta(minutes=int(os.environ.get("KAOJI_IDLE_MINUTES", "15"))),
        "KAOJI_MODE": mode(),
        "TICK_EVERY": timedelta(seconds=tick),
        "JOB_LEASE": timedelta(seconds=int(os.environ.get("KAOJI_LEASE_SECONDS", "60"))),
        "KAOJI_CA_FILE": os.environ.get("KAOJI_CA_FILE", ""),
        "APP_NAME": "Kaoji",
        "APP_THEME": "",
        "APP_ICON": "",
        "FAB_BASE_TEMPLATE": "layout.html",
        "FAB_INDEX_VIEW": "app.views.workbench.WorkbenchView",
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
                "socket_connect_timeout": 3,
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
