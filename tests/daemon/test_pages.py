"""The daemon's own pages: there before it is ready, seen by itself, changed with the shop, and gone with it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from engine.store.database import Database
from engine.store.tables import Installation
from tests.cli.typed import lay_out, typed
from tests.conftest import CONFIG
from tests.daemon.running import daemon

SEEN = Installation.pages_seen_at


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


@pytest.fixture
def environ() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TREUEPOST", "NOTIFY"))}


def seen_at(home: Path) -> datetime | None:
    database = Database(f"sqlite:///{home / 'store.db'}")
    try:
        with database.read() as session:
            return session.execute(sa.select(SEEN)).scalar()
    finally:
        database.close()


def test_they_answer_before_it_is_ready_and_it_has_seen_that(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, environ) as running:
        url = str(next(line["listen"] for line in running.lines if line["event"] == "pages"))
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        assert seen_at(home) is not None
        assert "Radhaus Sommer" in httpx.get(f"{url}/meine-daten").text
        file = home / "config.toml"
        file.write_text(file.read_text(encoding="utf-8").replace("Radhaus Sommer", "Radhaus Winter"), encoding="utf-8")
        running.send(signal.SIGHUP)
        running.until("reloaded")
        assert "Radhaus Winter" in httpx.get(f"{url}/meine-daten").text
        running.send(signal.SIGTERM)
        assert running.end()[0] == 0
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/health")


def test_a_door_that_is_taken_ends_it_with_a_sentence(home: Path, environ: Mapping[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(AssertionError, match="ended before"),
            daemon(home, {**environ, "TREUEPOST_WEB__LISTEN": listen}),
        ):
            pass
        import subprocess
        import sys

        command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "run"]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**environ, "TREUEPOST_WEB__LISTEN": listen}, check=False
        )
    assert done.returncode == 1
    assert listen in done.stderr
    assert "[web] listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_door_nothing_is_served(home: Path, environ: Mapping[str, str]) -> None:
    with daemon(home, {**environ, "TREUEPOST_WEB__LISTEN": ""}) as running:
        assert [line for line in running.lines if line["event"] == "pages"] == []
        running.send(signal.SIGTERM)
        assert running.end()[0] == 0
    assert seen_at(home) is None


def test_the_children_serve_nothing(home: Path, environ: Mapping[str, str]) -> None:
    from engine.daemon.working import Child, Worker

    assert not Worker.serves
    assert not Child.serves


def test_doctor_says_that_advertising_waits_for_the_page(tmp_path: Path) -> None:
    key = tmp_path / "api.key"
    key.write_text("xkeysib", encoding="utf-8")
    key.chmod(0o600)
    lines = f'use = "brevo"\napi_key_file = "{key}"\ndpa_signed_at = 2026-01-01'
    web = '[web]\npublic_url = "https://post.radhaus-sommer.de"\n\n[wording.'
    config = CONFIG.replace('use = "outbox"', lines).replace("[wording.", web, 1).replace(".example.com", ".de")
    home = lay_out(tmp_path / "laden", config=config)
    typed(home, "plan")
    result = typed(home, "doctor", "--json")
    import json

    (line,) = [
        one for one in json.loads(result.stdout)["checks"] if one["about"] == "pages" and "never" in one["remedy"]
    ]
    assert line["verdict"] == "FAIL"
    assert "never answered" in line["remedy"]
