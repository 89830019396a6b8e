"""The lists of providers agree, and each provider is made as its config says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from engine import providers
from engine.config.loading import Config, examine_config, load_config
from engine.config.providers import PROVIDERS, USUAL_BATCH
from engine.config.sections import ProviderSection
from engine.providers.contract import Recovery

SHOP = '[shop]\nname = "Radhaus"\naddress = "Lindenallee 4"\nemail = "a@radhaus.shop"\nlanguage = "en"\n[provider]\n'
KEY = {"TREUEPOST_PROVIDER__API_KEY": "geheim"}


def _config(folder: Path, text: str) -> Config:
    file = folder / "config.toml"
    file.write_text(f'{SHOP}from = "Radhaus <post@radhaus.shop>"\n{text}', encoding="utf-8")
    return load_config(file, KEY)


def _faults(folder: Path, text: str) -> list[str]:
    file = folder / "config.toml"
    file.write_text(f'{SHOP}from = "Radhaus <post@radhaus.shop>"\n{text}', encoding="utf-8")
    return [finding.message for finding in examine_config(file, KEY)[1]]


def test_the_lists_of_providers_agree() -> None:
    known = get_args(ProviderSection.model_fields["use"].annotation)
    assert set(known) == set(PROVIDERS) == set(providers.PROVIDERS)


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_provider_is_made_as_its_config_says(tmp_path: Path, name: str) -> None:
    server = 'base_url = "smtp://user@localhost:2525"\n' if PROVIDERS[name].server else ""
    provider = providers.build(_config(tmp_path, f'use = "{name}"\nsenders = 3\n{server}'))
    assert provider.name == name
    assert provider.rehearsal is (name == "outbox")
    assert provider.senders == (1 if provider.rehearsal else 3)
    provider.close()


@pytest.mark.parametrize(
    ("name", "recovery"),
    [
        ("smtp", Recovery()),
        ("brevo", Recovery(replays=timedelta(minutes=12), settles=timedelta(minutes=15))),
        ("resend", Recovery(replays=timedelta(hours=20), repeats_answer=True)),
        ("postmark", Recovery(settles=timedelta(minutes=15))),
    ],
)
def test_every_provider_says_how_a_doubt_ends(tmp_path: Path, name: str, recovery: Recovery) -> None:
    server = 'base_url = "smtp://user@localhost:2525"\n' if PROVIDERS[name].server else ""
    assert providers.build(_config(tmp_path, f'use = "{name}"\n{server}')).recovery == recovery


@pytest.mark.parametrize("name", ["brevo", "postmark"])
def test_the_owner_may_say_how_long_to_wait_for_a_look_up(tmp_path: Path, name: str) -> None:
    provider = providers.build(_config(tmp_path, f'use = "{name}"\nsettle = "90 seconds"\n'))
    assert provider.recovery.settles == timedelta(seconds=90)


@pytest.mark.parametrize("words", ["15", "15 minutes ago", "3 days", "25 hours", "-1 minutes", "99999 hours"])
def test_a_wait_that_is_none_is_refused(tmp_path: Path, words: str) -> None:
    (fault,) = _faults(tmp_path, f'use = "postmark"\nsettle = "{words}"\n')
    assert '"15 minutes"' in fault


@pytest.mark.parametrize(("name", "most"), [("brevo", 1000), ("resend", 100), ("postmark", 500)])
def test_a_batch_is_as_large_as_the_provider_takes(tmp_path: Path, name: str, most: int) -> None:
    assert providers.build(_config(tmp_path, f'use = "{name}"\n')).batch == USUAL_BATCH
    assert providers.build(_config(tmp_path, f'use = "{name}"\nbatch = {most}\n')).batch == most
    faults = _faults(tmp_path, f'use = "{name}"\nbatch = {most + 1}\n')
    assert len(faults) == 1
    assert str(most) in faults[0]


def test_a_mail_server_takes_one_mail_at_a_time(tmp_path: Path) -> None:
    text = 'use = "smtp"\nbase_url = "smtp://user@localhost:2525"\n'
    assert providers.build(_config(tmp_path, text)).batch == 1
    assert _faults(tmp_path, text + "batch = 2\n") == ["`provider.batch`: smtp takes 1 at most"]


def test_a_stream_without_postmark_is_a_mistake(tmp_path: Path) -> None:
    assert _faults(tmp_path, 'use = "postmark"\nstream = "werbung"\n') == []
    assert _faults(tmp_path, 'use = "resend"\nstream = "werbung"\n') == ["`provider.stream` is for Postmark only"]
    assert _faults(tmp_path, 'stream = "werbung"\n') == []


@pytest.mark.parametrize("name", ["brevo", "resend", "postmark"])
def test_an_api_needs_its_key(tmp_path: Path, name: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'{SHOP}from = "Radhaus <post@radhaus.shop>"\nuse = "{name}"\n', encoding="utf-8")
    assert [finding.message for finding in examine_config(file, {})[1]] == [f'provider "{name}" needs a key']
