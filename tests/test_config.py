"""Settings: what is wrong with one is said by its name, before anything is made."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import config

KEY = "x" * config.SHORTEST_KEY


@pytest.mark.parametrize(
    ("said", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:8080", "::1", 8080),
        ("[::]:65535", "::", 65535),
        ("localhost:1", "localhost", 1),
        (":8080", "127.0.0.1", 8080),
        ("8080", "127.0.0.1", 8080),
    ],
)
def test_where_it_listens(monkeypatch: pytest.MonkeyPatch, said: str, host: str, port: int) -> None:
    monkeypatch.setenv("KAOJI_BIND", said)

    assert config.bind() == (host, port)


@pytest.mark.parametrize(
    "said",
    ["127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "::1:x", "kaoji:80x", "1.2.3:80", "a b:80"],
)
def test_a_bad_address_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("KAOJI_BIND", said)

    with pytest.raises(SystemExit, match="KAOJI_BIND"):
        config.bind()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAOJI_MODE", "prod"),
        ("KAOJI_SECRET_KEY", "x"),
        ("KAOJI_SECRET_KEY", ""),
        ("KAOJI_PROXIES", "yes"),
        ("KAOJI_PROXIES", "-1"),
        ("KAOJI_TICK_SECONDS", "0"),
        ("KAOJI_LEASE_SECONDS", "soon"),
        ("KAOJI_IDLE_MINUTES", "1000000000000"),
    ],
)
def test_a_bad_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv("KAOJI_HOME", str(tmp_path))
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit, match=name):
        config.settings()


def test_names_come_from_the_address_the_list_and_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAOJI_BIND", "[::1]:8080")
    monkeypatch.setenv("KAOJI_HOSTS", "kaoji.lan, 10.1.2.3")
    monkeypatch.setenv("KAOJI_URL", "https://portal.lan:8443/")

    assert set(config.hosts()) == {"127.0.0.1", "localhost", "[::1]", "kaoji.lan", "10.1.2.3", "portal.lan"}
    assert config.shown_address() == "http://[::1]:8080/"


def test_a_key_is_made_once_whole_and_its_owners_alone(tmp_path: Path) -> None:
    first = config.secret("secret_key", tmp_path / "new")

    assert first == config.secret("secret_key", tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new" / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret_key"]


def test_a_full_disk_leaves_no_half_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemExit, match=f"{tmp_path}/secret_key.*No space left"):
        config.secret("secret_key", tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()

    assert len(config.secret("secret_key", tmp_path)) >= config.SHORTEST_KEY


def test_an_empty_key_of_before_names_its_path_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()

    with pytest.raises(SystemExit, match=f"{tmp_path}/secret_key.*backup"):
        config.secret("secret_key", tmp_path)


def test_the_broker_is_the_launchers_or_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAOJI_HOME", str(tmp_path))
    monkeypatch.delenv("BROKER_URL")
    assert config.broker_url() == config.NO_BROKER
    (tmp_path / "broker_password").write_text(KEY)
    (tmp_path / config.RUN_FILE).write_text('{"broker_port": 1234}')
    assert config.broker_url() == f"redis://:{KEY}@127.0.0.1:1234/0"
    monkeypatch.setenv("BROKER_URL", "redis://other/0")
    assert config.broker_url() == "redis://other/0"


def test_nobody_waits_for_postgresql_for_ever() -> None:
    found = config.engine_options("postgresql+psycopg://x/y", 6)

    assert found["pool_timeout"] == 5
    assert "statement_timeout=6000" in str(found["connect_args"])
    assert config.engine_options("sqlite:///x", 6) == {}
