"""A PostgreSQL server of the tests' own: started from whatever binary the machine has, thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

NOT_FOUND = "no PostgreSQL server binary (initdb, pg_ctl) on this machine; install e.g. postgresql to run this"


def find_binaries() -> Path | None:
    """Return the folder with `initdb` and `pg_ctl`, newest version first; None where there is none."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: float(bin_.parent.name), reverse=True)
    return next((bin_ for bin_ in folders if (bin_ / "initdb").exists()), None)


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root; there it runs as the account its package made, else as nobody."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    account = "postgres" if "postgres" in names else "nobody"
    entry = pwd.getpwnam(account)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


@contextmanager
def cluster() -> Iterator[str]:
    """Run a server on a socket in a folder of its own and give the URL up to the database's name."""
    binaries = find_binaries()
    assert binaries is not None, NOT_FOUND
    prefix = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="treuepost-pg-"))
    folder.chmod(0o777)
    quiet = {"check": True, "capture_output": True, "cwd": folder}
    data = folder / "data"
    initdb = [binaries / "initdb", "-D", data, "-U", "treuepost", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run([*prefix, *initdb], **quiet)  # type: ignore[call-overload]
    options = f"-c listen_addresses='' -k {folder} -c max_connections=200"
    control = [*prefix, binaries / "pg_ctl", "-D", data, "-s"]
    with (folder / "log").open("wb") as log:
        started = [*control, "-w", "-o", options, "start"]
        subprocess.run(started, check=True, stdout=log, stderr=log, cwd=folder)
    try:
        yield f"postgresql+psycopg://treuepost@/{{name}}?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)  # type: ignore[call-overload]
        shutil.rmtree(folder, ignore_errors=True)


def create(url: str, name: str, template: str = "template0") -> None:
    """Create a database on the cluster as a copy of `template`."""
    folder = url.rsplit("host=", 1)[1]
    with psycopg.connect(f"host={folder} user=treuepost dbname=postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY wal_log')  # type: ignore[arg-type]


def drop(url: str, name: str) -> None:
    """Drop a database and whoever still hangs on it."""
    folder = url.rsplit("host=", 1)[1]
    with psycopg.connect(f"host={folder} user=treuepost dbname=postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[arg-type]
