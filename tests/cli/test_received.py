"""`doctor --eml`: what a mail looks like once it has arrived."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli import received
from engine.domain.received import aligned, read
from engine.language import Language
from tests.cli.typed import document, lay_out, typed

GOOD = b"""\
Delivered-To: ich@gmail.example
Authentication-Results: mx.gmail.example;
       dkim=pass header.i=@radhaus.shop header.s=mail header.b=abc (2048-bit key; (nested; comment));
       spf=pass (domain designates 1.2.3.4 as permitted; spf=fail would be bad) smtp.mailfrom=bounce@post.radhaus.shop;
\tdmarc=pass (p=NONE sp=NONE dis=NONE) header.from=radhaus.shop
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=radhaus.shop; s=mail;
 h=From:To:Subject:Date:Message-ID:List-Unsub
 scribe:List-Unsubscribe-Post: MIME-Version; bh=x=;
\tb=abc
 def=
Message-ID: <0f8a@radhaus.shop>
From: =?utf-8?q?Radhaus_S=C3=B6mmer?= <post@radhaus.shop>
To: ich@gmail.example
Subject: Alles Gute!
Date: Fri, 27 Nov 2026 09:00:00 +0100
MIME-Version: 1.0
List-Unsubscribe: <https://post.radhaus.shop/u/abc>,
 <mailto:weg@radhaus.shop>
List-Unsubscribe-Post: List-Unsubscribe=One-Click

Hallo
"""


def _lines(tmp_path: Path, raw: bytes) -> dict[str, str]:
    file = tmp_path / "mail.eml"
    file.write_bytes(raw)
    return {line.about: line.verdict for line in received.examine(file, Language("de").gettext)}


def test_j8_a_mail_as_it_should_be_passes_every_check_with_folded_headers(tmp_path: Path) -> None:
    for raw in (GOOD, GOOD.replace(b"\n", b"\r\n")):
        found = _lines(tmp_path, raw)
        assert set(found) == {"spf", "dkim", "dmarc", "signer", "headers", "unsub", "covered", "mail id"}
        assert set(found.values()) == {"ok"}


@pytest.mark.parametrize(
    ("old", "new", "about", "verdict"),
    [
        (b"spf=pass (", b"spf=softfail (", "spf", "FAIL"),
        (b"dkim=pass", b"dkim=fail", "dkim", "FAIL"),
        (b"dmarc=pass", b"dmarc=none", "dmarc", "FAIL"),
        (b"header.i=@radhaus.shop", b"header.i=@relay.example", "signer", "FAIL"),
        (b":List-Unsubscribe-Post: MIME", b": MIME", "covered", "FAIL"),
        (b"List-Unsub\n scribe:", b"", "covered", "FAIL"),
        (b"d=radhaus.shop;", b"d=relay.example;", "covered", "FAIL"),
        (b"<https://post", b"<http://post", "unsub", "FAIL"),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Later", "unsub", "FAIL"),
        (b"Subject: Alles Gute!\n", b"Subject: Alles Gute!\nSubject: Noch einer\n", "headers", "FAIL"),
        (b"Date: Fri, 27 Nov 2026 09:00:00 +0100\n", b"", "headers", "FAIL"),
        (
            b"MIME-Version: 1.0\n",
            b"MIME-Version: 1.0\nList-Unsubscribe: <https://relay.example/u>\n",
            "headers",
            "FAIL",
        ),
        (b"<0f8a@radhaus.shop>", b"<0f8a@relay.example>", "mail id", "warn"),
        (b"<post@radhaus.shop>", b"<post@radhaus.shop>, <b@radhaus.shop>", "signer", "FAIL"),
    ],
)
def test_j2_j4_j8_each_fault_is_named(tmp_path: Path, old: bytes, new: bytes, about: str, verdict: str) -> None:
    assert old in GOOD
    assert _lines(tmp_path, GOOD.replace(old, new))[about] == verdict


def test_j2_one_of_several_signatures_of_the_sender_is_enough(tmp_path: Path) -> None:
    relay = b"DKIM-Signature: v=1; d=relay.example; s=x; h=from:to; b=x\n"
    assert _lines(tmp_path, relay + GOOD)["covered"] == "ok"


def test_j8_what_came_with_the_mail_is_not_believed(tmp_path: Path) -> None:
    forged = GOOD.replace(b"dkim=pass", b"dkim=fail").replace(
        b"Message-ID:", b"Authentication-Results: mine.example; dkim=pass header.d=radhaus.shop\nMessage-ID:"
    )
    assert _lines(tmp_path, forged)["dkim"] == "FAIL"
    twice = b"Authentication-Results: mx.gmail.example; arc=none\n" + GOOD
    assert _lines(tmp_path, twice)["dkim"] == "ok"


def test_a_mail_without_results_or_a_link_only_deserves_a_word(tmp_path: Path) -> None:
    head, _, rest = GOOD.partition(b"DKIM-Signature")
    bare = (
        head.partition(b"Authentication")[0] + b"DKIM-Signature" + rest.partition(b"List-Unsubscribe: ")[0] + b"\nHi\n"
    )
    found = _lines(tmp_path, bare)
    assert (found["checks"], found["signer"], found["unsub"]) == ("warn", "warn", "warn")
    assert "covered" not in found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("radhaus.shop", "post.radhaus.shop", True),
        ("a.radhaus.shop", "b.radhaus.shop", True),
        ("radhaus.co.uk", "bakery.co.uk", False),
        ("post.radhaus.co.uk", "radhaus.co.uk", True),
        ("radhaus.shop", "radhaus.de", False),
        ("xradhaus.shop", "radhaus.shop", False),
        ("", "", False),
    ],
)
def test_domains_are_compared_by_their_organisation(one: str, other: str, same: bool) -> None:
    assert aligned(one, other) is aligned(other, one) is same


@given(st.binary(max_size=400))
def test_whatever_is_in_the_file_nothing_breaks(raw: bytes) -> None:
    mail = read(GOOD[:600] + raw)
    assert isinstance(mail.results, tuple)
    assert isinstance(mail.uncovered, tuple)
    assert isinstance(mail.miscounted, tuple)


def test_doctor_eml_as_it_is_typed(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "laden")
    (tmp_path / "good.eml").write_bytes(GOOD)
    (tmp_path / "bad.eml").write_bytes(GOOD.replace(b"spf=pass (", b"spf=fail ("))
    (tmp_path / "empty.eml").write_bytes(b"")
    found = document(home, "doctor", "--eml", str(tmp_path / "good.eml"))
    assert isinstance(found, dict)
    assert found["ok"] is True
    bad = typed(home, "doctor", "--eml", str(tmp_path / "bad.eml"))
    assert bad.exit_code == 1
    assert "SPF-Eintrag" in bad.stdout
    assert typed(home, "doctor", "--eml", str(tmp_path / "empty.eml")).exit_code == 2
    assert typed(home, "doctor", "--eml", str(tmp_path / "none.eml")).exit_code == 7
