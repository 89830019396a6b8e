"""SMTP: the command at which a mail failed says whether it may have left."""

from __future__ import annotations

import email
from collections.abc import Iterator
from dataclasses import replace
from email import policy

import pytest

from engine.app import App
from engine.domain import retry
from engine.domain.words import Accepted, InDoubt, NotSent, Refused, Result
from engine.providers.smtp import Server, Smtp
from tests.conftest import CONFIG, MakeApp
from tests.providers.conftest import MAIL, meaning, one
from tests.providers.smtp_double import CUT, MailServer, listening
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, later, rows, send, states, tick


@pytest.fixture
def server() -> MailServer:
    return MailServer(password="secret")


@pytest.fixture
def provider(server: MailServer) -> Iterator[Smtp]:
    with listening(server) as port:
        made = Smtp(Server("127.0.0.1", port, "", tls=False, local=True), password="", senders=1, wait_seconds=5)
        yield made
        made.close()


ALL_DAY = f'{BIRTHDAY}[send]\nbetween = "00:00-24:00"\n'
WEB = '[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n\n[wording.'
REAL = CONFIG.replace('use = "outbox"', 'use = "smtp"\nbase_url = "smtp://127.0.0.1:9"').replace("[wording.", WEB, 1)
"""A real provider, so that what is said of an address counts; the server itself is put in by the test."""


def _shop(make_app: MakeApp, provider: Smtp, *, people: int) -> App:
    app = replace(make_app(config=REAL, campaigns={"birthday": ALL_DAY}), provider=provider)
    add_birthdays(app, people)
    return app


def _blocked(app: App) -> list[object]:
    with app.database.read() as session:
        return list(session.connection().exec_driver_sql("SELECT reason FROM suppression").scalars())


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
        ("RCPT", "550 5.7.1 blocked by policy", False),
        ("DATA", "550 5.7.1 blocked by policy", False),
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
        ("RCPT", "550 5.7.1 <anna@example.com> recipient rejected", False),
        ("RCPT", "550 5.7.1 rejected by the user's policy", False),
        ("RCPT", "550 5.7.1 <anna@example.com> blocked", False),
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


OF_THE_ACCOUNT = [
    "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\n550 5.4.5 sending limits go to https://x",
    "550 5.4.5 Daily SMTP relay limit exceeded for customer.",
    "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; the submission quota was exceeded",
    "554 5.2.252 SendAsDenied; laden@radhaus.example not allowed to send as post@radhaus.example",
    "550 5.7.1 your account may not send",
    "550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
    "550 5.1.8 Access denied, bad outbound sender",
    "553 5.7.1 <post@radhaus.example>: Sender address rejected: not owned by user laden",
    "554 5.7.1 <shop[192.0.2.1]>: Client host rejected: Access denied",
    "550 5.7.1 Client was not authenticated",
    "525 5.7.1 Unauthorized IP address",
    "550 5.7.26 policy",
    "550-Requested action not taken: mailbox unavailable\n550 Sender address is not allowed.",
    "450 Requested mail action not taken: mailbox unavailable. Mail send limit exceeded.",
    "454 Throttling failure: Maximum sending rate exceeded.",
    "451 4.7.1 too many messages, slow down",
    "503 5.5.4 Authenticate first",
]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("answer", OF_THE_ACCOUNT)
def test_a_no_to_the_account_stops_it_and_refuses_no_mail(
    provider: Smtp, server: MailServer, stage: str, answer: str
) -> None:
    server.answers[stage] = answer
    result = _send(provider)
    assert isinstance(result, NotSent)
    assert result.account


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "DOT"])
@pytest.mark.parametrize(
    "answer",
    [
        "550 5.7.1 <anna@example.com>: recipient has blocked this sender",
        "550 5.7.1 <anna@example.com>: limit reached",
        "550 5.7.1 <anna@example.com>: Sender is not on the list",
        "554 5.7.1 <anna@example.com>: Recipient address rejected: quota exceeded",
        "550 5.7.133 Sender not authenticated for group",
        "452 4.2.2 <anna@example.com>: Quota exceeded (mailbox for user is full)",
        "452 mailbox full, quota exceeded",
        "452 quota exceeded",
        "450 4.2.1 the user is receiving mail at too high a rate",
        "450 4.2.0 <anna@example.com>: Recipient address rejected: Greylisted, sender is new",
        "452 4.3.1 insufficient system storage",
        "451 4.3.0 try later",
    ],
)
def test_a_no_that_may_be_about_one_recipient_stops_nobody_and_refuses_no_mail(
    provider: Smtp, server: MailServer, stage: str, answer: str
) -> None:
    server.answers[stage] = answer
    result = _send(provider)
    assert isinstance(result, NotSent)
    assert not result.account


@pytest.mark.parametrize(
    "answer",
    [
        "550 no such user here",
        "550 5.1.1 <account@relay.example>: user unknown",
        "550-5.1.1 The email account that you tried to reach does not exist.\n550 5.1.1 see https://quota.example",
        "550 5.1.1 <anna@example.com>: Recipient address rejected: User unknown in relay recipient table",
        "556 5.1.10 null MX",
        "553 5.1.3 bad address syntax",
    ],
)
def test_only_who_certainly_has_no_mailbox_is_dead(provider: Smtp, server: MailServer, answer: str) -> None:
    server.answers["RCPT"] = answer
    assert meaning(_send(provider)) == "dead"


@pytest.mark.parametrize(
    "answer",
    [
        "550 rejected",
        "550 mailbox unavailable",
        "554 Transaction failed",
        "551 not local",
        "550 5.0.0 never",
        "550 5.2.1 mailbox disabled",
        "550 5.4.1 Recipient address rejected: Access denied",
        "550 5.1.0 address rejected",
        "552 exceeded storage allocation",
        "554 5.4.6 too many hops",
    ],
)
def test_a_no_to_this_recipient_alone_strikes_nobody_off(provider: Smtp, server: MailServer, answer: str) -> None:
    server.answers["RCPT"] = answer
    assert meaning(_send(provider)) == "refused"


@pytest.mark.parametrize("answer", ["550 this account is disabled", "550 5.0.0 quota exceeded", "450 account is busy"])
def test_an_account_that_may_be_the_recipients_stops_nobody(provider: Smtp, server: MailServer, answer: str) -> None:
    server.answers["RCPT"] = answer
    assert meaning(_send(provider)) == "not sent"
    server.answers = {"DATA": answer}
    assert meaning(_send(provider)) == "account"


def test_a_server_that_relays_to_nobody_is_the_accounts_fault_whomever_it_names(
    provider: Smtp, server: MailServer
) -> None:
    server.answers["RCPT"] = "554 5.7.1 <anna@example.com>: Relay access denied"
    assert meaning(_send(provider)) == "account"


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("554 5.7.1 spam message rejected", "refused"),
        ("550 5.7.0 message contains a virus", "refused"),
        ("552 message size exceeds the limit", "refused"),
        ("554 Transaction failed", "refused"),
        ("550 5.7.1 Message rejected", "refused"),
        ("550 5.1.1 no such user", "refused"),
        ("550 5.7.1 likely spam, by the reputation of the sending IP address", "not sent"),
        ("554 Message rejected: Email address is not verified", "account"),
    ],
)
def test_a_no_to_the_content_is_this_mails_alone(provider: Smtp, server: MailServer, answer: str, meant: str) -> None:
    server.answers["DOT"] = answer
    assert meaning(_send(provider)) == meant


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "DOT"])
@pytest.mark.parametrize("answer", OF_THE_ACCOUNT[:5])
def test_a_spent_limit_costs_no_customer_a_mail(
    make_app: MakeApp, provider: Smtp, server: MailServer, stage: str, answer: str
) -> None:
    app = _shop(make_app, provider, people=2)
    server.answers[stage] = answer
    report = tick(app)
    assert report.stop is not None
    server.answers.clear()
    send(app, later(60))
    assert (states(app), _blocked(app)) == ({"sent": 2}, [])


def test_one_recipients_full_mailbox_stops_nobody_else(make_app: MakeApp, provider: Smtp, server: MailServer) -> None:
    app = _shop(make_app, provider, people=2)
    server.answers["RCPT"] = "452 4.2.2 <k0@example.com>: Quota exceeded (mailbox for user is full)"
    report = tick(app)
    assert report.stop is None
    assert (states(app), _blocked(app)) == ({"retrying": 2}, [])


def test_a_no_that_names_nobody_opens_the_breaker_where_everybody_meets_it(
    make_app: MakeApp, provider: Smtp, server: MailServer
) -> None:
    app = _shop(make_app, provider, people=30)
    server.answers["RCPT"] = "550 5.7.1 blocked by policy"
    for minute in range(60):
        send(app, later(minute)) if minute else tick(app)
    assert max(row.attempts for row in rows(app)) < retry.MAX_ATTEMPTS
    server.answers.clear()
    for minute in range(60, 180, 10):
        send(app, later(minute))
    assert (states(app), _blocked(app)) == ({"sent": 30}, [])


@pytest.mark.parametrize(
    "said", ["250 2.0.0 ok \x00 queued", "550 5.6.0 no \x00 thanks", "451 \x1b[31m\x00 later", "299 \x00"]
)
def test_whatever_signs_a_server_answers_with_can_be_recorded(
    make_app: MakeApp, provider: Smtp, server: MailServer, said: str
) -> None:
    app = _shop(make_app, provider, people=1)
    server.answers["DOT"] = said
    tick(app)
    (row,) = rows(app)
    assert states(app).keys() <= {"sent", "rejected", "retrying", "unknown"}
    assert (row.detail + row.provider_id).isprintable()


@pytest.mark.parametrize(("user", "password"), [("shop", "schlüssel"), ("läden", "secret")])
def test_a_login_outside_ascii_is_the_accounts_fault_and_is_not_shown(
    server: MailServer, user: str, password: str
) -> None:
    with listening(server) as port:
        provider = Smtp(Server("127.0.0.1", port, user, tls=False, local=True), password=password, senders=1)
        result = _send(provider)
        provider.close()
    assert isinstance(result, NotSent)
    assert (result.account, result.credentials) == (True, True)
    assert "ASCII" in result.detail
    assert not {user, password, "ü", "\\xfc"} & set(result.detail.split())
    assert "xfc" not in result.detail


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
