"""A daemon over a store that may be a second one says so once, waits, and goes on by itself after the owner's word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from engine.clock import system_clock
from engine.domain.words import State
from engine.store.sidecar import ENDING
from engine.store.tables import Customer
from tests.cli.typed import lay_out, opened, typed
from tests.conftest import CONFIG
from tests.daemon.running import daemon
from tests.store.rows import add_messages

NOBODY = 'use = "brevo"\nbase_url = "http://127.0.0.1:9"\napi_key_file = "key"'


def test_it_waits_for_the_owners_word_and_then_goes_on(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "laden", config=CONFIG.replace('use = "outbox"', NOBODY))
    (home / "key").write_text("xkeysib-1", encoding="utf-8")
    (home / "key").chmod(0o600)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TREUEPOST", "NOTIFY"))}
    assert typed(home, "tick").exit_code == 0
    with opened(home) as session:
        anna = session.execute(sa.select(Customer)).scalars().first()
        add_messages(session, 1, anna, state=State.SENT, campaign="old", first_call_at=system_clock())
    (home / f"store.db{ENDING}").unlink()
    with daemon(home, environ) as running:
        told = running.until("store guarded")
        assert told["suspicion"] == "alone"
        assert "treuepost db adopt moved" in str(told["say"])
        command = [sys.executable, "-m", "engine", "--config", str(home / "config.toml"), "db", "adopt", "moved"]
        assert subprocess.run(command, env=environ, capture_output=True, check=False).returncode == 0
        assert running.until("store adopted")["was"] == "alone"
        running.send(signal.SIGTERM)
        assert running.end()[0] == 0
    assert [line["event"] for line in running.lines].count("store guarded") == 1
