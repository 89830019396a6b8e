"""SMTP: the command at which a mail failed says whether it may have left."""

from __future__ import annotations

import email
from collections.abc import Iterator
from dataclasses import replace
from email import policy

import pytest

from engine.domain.words import Accepted, InDoubt, NotSent, Refused, Result
from engine.providers.smtp import Server, Smtp
from tests.providers.conftest import MAIL, one
from tests.providers.smtp_double import CUT, MailServer, listening


@pytest.fixture
def server() -> MailServer:
    return MailServer(password="secret")


@pytest.fixture
def provider(server: MailServer) -> Iterator[Smtp]:
    with listening(server) as port:
        made = Smtp(Server("127.0.0.1", port, "", tls=False, local=True), password="", senders=1, wait_seconds=5)
        yield made
        made.close()


def _send(provider: Smtp) -> Result:
    return provider.send(one(MAIL))[0]


def test_an_accepted_mail_arrives_as_it_was_rendered(provider: Smtp, server: MailServer) -> None:
    result = _send(provider)
    message = email.message_from_bytes(server.took[0], policy=policy.default)
    assert isinstance(result, Accepted)
    assert "4711" in result.provider_id
    assert message["Subject"] == MAIL.subject
    assert next(message.iter_parts()).get_content().splitlines() == MAIL.text.splitlines()  # type: ignore[attr-defined]


def test_a_lone_dot_in_the_text_does_not_end_the_mail(provider: Smtp, server: MailServer) -> None:
    provider.send(one(replace(MAIL, text="one\n.\ntwo\n.three\n")))
    message = email.message_from_bytes(server.took[0], policy=policy.default)
    assert next(message.iter_parts()).get_content().splitlines() == ["one", ".", "two", ".three"]  # type: ignore[attr-defined]


def test_one_connection_serves_many_mails(provider: Smtp, server: MailServer) -> None:
    assert [type(provider.send(one(MAIL))[0]) for _ in range(3)] == [Accepted] * 3
    assert server.commands.count("EHLO") == 1


def test_a_connection_that_died_while_idle_costs_no_mail(provider: Smtp, server: MailServer) -> None:
    _send(provider)
    server.answers["RSET"] = CUT
    assert isinstance(_send(provider), Accepted)
    assert len(server.took) == 2


@pytest.mark.parametrize("stage", ["HELLO", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_line_cut_before_the_final_dot_sent_nothing(provider: Smtp, server: MailServer, stage: str) -> None:
    server.answers[stage] = CUT
    if stage == "EHLO":
        server.answers["HELO"] = CUT
    assert isinstance(_send(provider), NotSent)
    assert server.took == []


def test_a_line_cut_after_the_final_dot_is_doubt(provider: Smtp, server: MailServer) -> None:
    server.answers["DOT"] = CUT
    assert isinstance(_send(provider), InDoubt)
    assert len(server.took) == 1


@pytest.mark.parametrize(
    ("stage", "answer", "account"),
    [
        ("HELLO", "421 4.3.2 closing", True),
        ("MAIL", "451 4.3.0 try later", False),
        ("MAIL", "454 Throttling failure: Daily message quota exceeded", True),
        ("MAIL", "550 5.7.1 sender not allowed", True),
        ("MAIL", "530 5.7.0 authentication required", True),
        ("RCPT", "450 4.2.1 greylisted", False),
        ("RCPT", "554 5.7.1 relay access denied", True),
        ("DATA", "451 4.3.0 try later", False),
        ("DOT", "452 4.3.1 no space", False),
    ],
)
def test_a_server_that_says_later_is_asked_later(
    provider: Smtp, server: MailServer, stage: str, answer: str, account: bool
) -> None:
    server.answers[stage] = answer
    result = _send(provider)
    assert isinstance(result, NotSent)
    assert result.account is account
    assert server.took == []


@pytest.mark.parametrize(
    ("stage", "answer", "dead"),
    [
        ("MAIL", "552 5.3.4 too big", False),
        ("RCPT", "550 5.1.1 no such user", True),
        ("RCPT", "550 5.7.1 blocked by policy", False),
        ("RCPT", "552 5.2.2 mailbox full", False),
        ("DATA", "554 5.5.1 no", False),
        ("DOT", "554 5.6.0 looks like spam", False),
    ],
)
def test_a_server_that_says_never_has_refused(
    provider: Smtp, server: MailServer, stage: str, answer: str, dead: bool
) -> None:
    server.answers[stage] = answer
    result = _send(provider)
    assert isinstance(result, Refused)
    assert result.hard_bounce is dead


def test_a_strange_answer_to_the_final_dot_is_doubt(provider: Smtp, server: MailServer) -> None:
    server.answers["DOT"] = "299 perhaps"
    assert isinstance(_send(provider), InDoubt)


def test_the_mail_after_a_failure_goes_out(provider: Smtp, server: MailServer) -> None:
    server.answers["RCPT"] = "450 4.2.1 greylisted"
    first = _send(provider)
    del server.answers["RCPT"]
    assert (type(first), type(_send(provider))) == (NotSent, Accepted)


@pytest.mark.parametrize(("password", "accepted"), [("secret", True), ("hunter2", False)])
def test_the_password_decides(server: MailServer, password: str, accepted: bool) -> None:
    with listening(server) as port:
        provider = Smtp(Server("127.0.0.1", port, "shop", tls=False, local=True), password=password, senders=1)
        result = _send(provider)
        provider.close()
    assert isinstance(result, Accepted) is accepted
    if isinstance(result, NotSent):
        assert (result.account, result.credentials) == (True, True)
        assert password not in result.detail


def test_a_server_elsewhere_must_encrypt(server: MailServer) -> None:
    with listening(server) as port:
        provider = Smtp(Server("127.0.0.1", port, "", tls=False, local=False), password="", senders=1)
        result = _send(provider)
        provider.close()
    assert isinstance(result, NotSent)
    assert "STARTTLS" in result.detail
    assert server.took == []


def test_an_address_outside_ascii_needs_a_server_that_takes_it(provider: Smtp, server: MailServer) -> None:
    exotic = replace(MAIL, to="änne@example.com")
    assert isinstance(provider.send(one(exotic))[0], Accepted)
    server.answers["EHLO"] = "250 double"
    provider.close()
    assert isinstance(provider.send(one(exotic))[0], Refused)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://shop%40example.com@mail.example:587", Server("mail.example", 587, "shop@example.com", False, False)),
        ("smtps://shop@mail.example", Server("mail.example", 465, "shop", True, False)),
        ("smtp://mail.example", Server("mail.example", 587, "", False, False)),
    ],
)
def test_a_url_names_the_server(url: str, expected: Server) -> None:
    assert Server.parse(url, local=False) == expected
