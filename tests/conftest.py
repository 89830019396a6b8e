"""Fixtures everybody uses: a fresh store on either database, a real shop folder, the data set beside the project."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from engine.store import schema
from engine.store.database import Database
from tests import postgres
from tests.people import NOW

if TYPE_CHECKING:
    from datetime import datetime

    from engine.app import App

_names = itertools.count()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the schema in it; copying it is faster than migrating."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start one server for the session, with a template database that has the schema."""
    if postgres.find_binaries() is None:
        pytest.skip(postgres.NOT_FOUND)
    with postgres.cluster() as url:
        postgres.create(url, "treuepost_template")
        database = Database(url.format(name="treuepost_template"))
        schema.upgrade(database)
        database.close()
        yield url


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """Give a fresh SQLite store."""
    path = tmp_path / "store.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    """Give a fresh PostgreSQL store."""
    name = f"test_{next(_names)}"
    postgres.create(postgres_url, name, "treuepost_template")
    database = Database(postgres_url.format(name=name))
    yield database
    database.close()
    postgres.drop(postgres_url, name)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """Give a fresh store, once on each database."""
    return request.getfixturevalue(f"{request.param}_database")  # type: ignore[no-any-return]


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a fresh store, once on each database, for what opens it itself."""
    database: Database = request.getfixturevalue(f"{request.param}_database")
    return database.url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with the public data sets, which lies beside the project and not in it."""
    path = Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"the public data sets are not at {path}")
    return path


@pytest.fixture(scope="session")
def provider_descriptions() -> Path:
    """Return the folder with the providers' published API descriptions, which lies beside the project."""
    path = Path(__file__).parents[2] / "shared" / "openapi"
    if not path.is_dir():
        pytest.skip(f"the providers' API descriptions are not at {path}")
    return path


SHOP = """
[shop]
name = "Radhaus Sommer"
address = "Lindenallee 4, 80331 München"
phone = "+49 89 1234567"
email = "laden@radhaus-sommer.example.com"
represented_by = "Petra Sommer"
url = "https://radhaus-sommer.example.com"
privacy = "https://radhaus-sommer.example.com/datenschutz"
"""
"""Who the shop is, in every config."""

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # a busy machine is slow, and that is no fault of an example

CONFIG = (
    SHOP
    + """
[store]
url = "{store}"

[provider]
use = "outbox"
max_per_minute = 100000
from = "Radhaus Sommer <post@radhaus-sommer.example.com>"

[wording.newsletter-2015]
file = "wording.txt"
kinds = ["newsletter", "birthday", "winback", "coupon", "thank_you", "feedback_request", "service_reminder"]
product_scope = "Fahrräder und Zubehör"
"""
)

WORDING = "Ja, Radhaus Sommer darf mir per E-Mail schreiben. Ich kann das jederzeit beenden.\n"

MakeApp = Callable[..., "App"]


@pytest.fixture
def make_app(tmp_path: Path, database_url: str) -> Iterator[MakeApp]:
    """Build a real shop folder and assemble the program in it, at an instant of the test's choosing."""
    from engine.app import assemble
    from engine.clock import stopped_at
    from engine.config.loading import load_config

    made: list[App] = []
    home = tmp_path / "shop"
    shutil.copytree(Path(__file__).parents[1] / "templates", home / "templates")
    (home / "campaigns").mkdir()
    (home / "wording.txt").write_text(WORDING, encoding="utf-8")

    def build(
        *, config: str = CONFIG, campaigns: dict[str, str] | None = None, extra: str = "", now: datetime = NOW
    ) -> App:
        for name, text in (campaigns or {}).items():
            (home / "campaigns" / f"{name}.toml").write_text(text, encoding="utf-8")
        file = home / "config.toml"
        file.write_text(config.replace("{store}", database_url) + extra, encoding="utf-8")
        app = assemble(load_config(file, {"TREUEPOST_PROVIDER__API_KEY": "key"}), stopped_at(now))
        made.append(app)
        return app

    yield build
    for app in made:
        app.provider.close()  # a line kept for the next call would be blamed on whichever test is at work later
        app.database.close()
