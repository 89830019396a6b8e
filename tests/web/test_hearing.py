"""The provider's news through the door: proved on its raw bytes, heeded once, refused without a word otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.clock import stopped_at
from tests.conftest import CONFIG, MakeApp
from tests.doubles.book import Line
from tests.doubles.http import Double, serving
from tests.doubles.webhooks import SECRETS, Hook, hook
from tests.people import NOW
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, tick
from tests.web.visiting import dump, pages_of, served, visitor

if TYPE_CHECKING:
    from engine.app import App

PROVIDERS = ["brevo", "resend", "postmark"]
WRONG = {"brevo": "a-guess", "postmark": "treuepost:a-guess", "resend": "whsec_Z3Vlc3Nlcw=="}
SOON = NOW + timedelta(minutes=2)


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def told(make_app: MakeApp, tmp_path: Path, provider: str) -> Iterator[tuple[App, Line]]:
    """Give a shop of each provider, with one mail sent."""
    double = Double(tmp_path / "book.jsonl", provider, sync=False, clock=stopped_at(NOW))
    with serving(double) as url:
        for name, secret in (("api.key", "a-key"), ("hook.key", SECRETS[provider])):
            (tmp_path / name).write_text(secret, encoding="utf-8")
            (tmp_path / name).chmod(0o600)
        lines = f'use = "{provider}"\nbase_url = "{url}"\napi_key_file = "{tmp_path / "api.key"}"\n'
        lines += f'webhook_secret_file = "{tmp_path / "hook.key"}"'
        web = '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.'
        app = make_app(
            config=CONFIG.replace('use = "outbox"', lines).replace("[wording.", web, 1),
            campaigns={"birthday": BIRTHDAY},
        )
        add_birthdays(app, 1)
        tick(app)
        yield app, double.mails()[0]


def post(client: Any, provider: str, one: Hook) -> int:
    return int(client.post(f"/webhooks/{provider}", content=one.raw, headers=one.headers).status_code)


def test_a_bounce_counts_once_and_a_repeat_is_answered_alike(told: tuple[App, Line], provider: str) -> None:
    app, mail = told
    one = hook(provider, "bounced", mail, NOW, SECRETS[provider], SOON)
    with served(pages_of(app, now=SOON)) as client:
        assert post(client, provider, one) == 200
        after = dump(app)
        assert after["suppression"]
        assert [post(client, provider, one) for _ in range(3)] == [200] * 3
    assert dump(app) == after


def test_what_is_not_proved_is_refused_and_changes_nothing(told: tuple[App, Line], provider: str) -> None:
    app, mail = told
    before = dump(app)
    client = visitor(pages_of(app, now=SOON))
    true = hook(provider, "complained", mail, NOW, SECRETS[provider], SOON)
    forged = hook(provider, "complained", mail, NOW, WRONG[provider], SOON)
    assert post(client, provider, forged) == 401
    assert post(client, provider, Hook({"content-type": "application/json"}, true.raw)) == 401
    if provider == "resend":
        assert post(client, provider, Hook(true.headers, true.raw + b" ")) == 401
        late = visitor(pages_of(app, now=SOON + timedelta(minutes=6)))
        assert post(late, provider, true) == 401
    assert dump(app) == before


def test_without_a_secret_nobody_is_believed(told: tuple[App, Line], provider: str) -> None:
    from dataclasses import replace

    app, mail = told
    section = app.config.provider.model_copy(update={"webhook_secret": None})
    bare = replace(app, config=app.config.model_copy(update={"provider": section}))
    one = hook(provider, "bounced", mail, NOW, SECRETS[provider], SOON)
    assert post(visitor(pages_of(bare, now=SOON)), provider, one) == 401


def test_only_the_configured_provider_has_a_door(told: tuple[App, Line], provider: str) -> None:
    app, mail = told
    client = visitor(pages_of(app, now=SOON))
    for other in {*PROVIDERS, "outbox", "smtp", "x"} - {provider}:
        secret, written = SECRETS.get(other, "x"), other if other in PROVIDERS else "brevo"
        assert post(client, other, hook(written, "bounced", mail, NOW, secret or "x", SOON)) == 404


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"[1]", b'"text"', b"{}" * 2, b"null"])
def test_what_no_provider_says_is_unreadable(told: tuple[App, Line], provider: str, raw: bytes) -> None:
    app, mail = told
    headers = hook(provider, "bounced", mail, NOW, SECRETS[provider], SOON).headers
    if provider == "resend":
        headers = _signed(raw)
    before = dump(app)
    client = visitor(pages_of(app, now=SOON))
    for charset in ("", "; charset=utf-16", "; charset=nonsense"):
        given = headers | {"content-type": f"application/json{charset}"}
        assert client.post(f"/webhooks/{provider}", content=raw, headers=given).status_code == 400
    assert dump(app) == before


def _signed(raw: bytes) -> dict[str, str]:
    import base64
    import hashlib
    import hmac

    key, seconds = base64.b64decode(SECRETS["resend"].removeprefix("whsec_")), str(int(SOON.timestamp()))
    signature = hmac.new(key, f"msg_1.{seconds}.".encode() + raw, hashlib.sha256).digest()
    signed = f"v1,{base64.b64encode(signature).decode()}"
    return {"svix-id": "msg_1", "svix-timestamp": seconds, "svix-signature": signed}


def test_a_body_beyond_a_megabyte_is_cut_off(told: tuple[App, Line], provider: str) -> None:
    app, _ = told
    with served(pages_of(app, now=SOON)) as client:
        assert client.post(f"/webhooks/{provider}", content=b"x" * (1024 * 1024 + 1)).status_code == 413
        streamed = client.post(f"/webhooks/{provider}", content=iter([b"x" * 65536] * 17))
        assert streamed.status_code == 413
        small = json.dumps([]).encode()
        assert client.post(f"/webhooks/{provider}", content=small).status_code == 401
