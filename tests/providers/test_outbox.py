"""The outbox: every mail is a file a mail program opens."""

from __future__ import annotations

import email
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from engine.domain.words import Accepted, Call, NotSent
from engine.providers import mime
from engine.providers.outbox import Outbox
from tests.providers.conftest import MAIL, one


def _parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=policy.default)  # type: ignore[return-value]


def test_a_mail_is_a_file_named_by_its_id(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    assert outbox.send(one(MAIL)) == [Accepted(f"{MAIL.message_id}.eml")]
    message = _parsed((tmp_path / "outbox" / f"{MAIL.message_id}.eml").read_bytes())
    assert message["Subject"] == MAIL.subject
    assert message["To"] == "Anna Müller <anna@example.com>"
    assert message["Reply-To"] == MAIL.reply_to
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Message-ID"] == f"<{MAIL.message_id}@radhaus-sommer.example.com>"


def test_text_comes_before_html_and_both_are_what_was_rendered() -> None:
    message = _parsed(mime.build(MAIL))
    text, html = message.iter_parts()
    assert message.get_content_type() == "multipart/alternative"
    assert text.get_content().splitlines() == MAIL.text.splitlines()
    assert html.get_content().strip() == MAIL.html


def test_the_same_mail_makes_the_same_bytes() -> None:
    assert mime.build(MAIL) == mime.build(replace(MAIL))


def test_what_travels_is_seven_bit_with_crlf() -> None:
    content = mime.build(MAIL)
    assert content.isascii()
    assert content.count(b"\n") == content.count(b"\r\n")


def test_a_line_break_in_a_name_or_subject_starts_no_header() -> None:
    evil = replace(MAIL, to_name="Anna\r\nBcc: all@example.com", subject="Hi\nX-Evil: 1")
    message = _parsed(mime.build(evil))
    assert (message["Bcc"], message["X-Evil"]) == (None, None)
    assert message["Subject"] == "Hi X-Evil: 1"


def test_a_domain_outside_ascii_travels_in_its_dns_form() -> None:
    message = _parsed(mime.build(replace(MAIL, to="anna@müller.example")))
    assert "anna@xn--mller-kva.example" in message["To"]


def test_writing_a_mail_again_replaces_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.send(one(MAIL))
    outbox.send(one(MAIL))
    assert [path.name for path in tmp_path.iterdir()] == [f"{MAIL.message_id}.eml"]


def test_a_folder_that_cannot_be_written_sends_nothing(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file stands here")
    (result,) = Outbox(tmp_path / "outbox").send(one(MAIL))
    assert isinstance(result, NotSent)
    assert result.account


@pytest.mark.parametrize("count", [0, 1, 7])
def test_there_are_as_many_results_as_mails(tmp_path: Path, count: int) -> None:
    mails = [replace(MAIL, message_id=f"m{number}") for number in range(count)]
    assert len(Outbox(tmp_path).send(Call("key", tuple(mails)))) == count
