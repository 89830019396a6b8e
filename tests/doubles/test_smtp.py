"""The mail server double: at every stage it can fail, and its book says what it took all the same."""

from __future__ import annotations

import os
import signal
import smtplib
from pathlib import Path

import pytest

from tests.doubles import book as books
from tests.doubles.asking import mid, program
from tests.doubles.smtp import STAGES, MailServer, listening

BEFORE = [
    (what, stage)
    for stage in STAGES
    for what in ("cut", "450", "550", "421")
    if stage not in {"TAKEN", "QUIT", "AUTH"} and (stage != "BODY" or what == "cut")
]
"""A server says nothing amid a mail: there the line can only be cut."""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "book.jsonl"


def send(port: int, number: int, *, to: str = "anna@example.com", timeout: float = 5, password: str = "") -> None:
    """Hand in one mail, as smtplib does it."""
    mail = f"Message-ID: <{mid(number)}@shop.example>\r\nSubject: to {number}\r\n\r\none\r\n..two\r\nthree\r\nfour\r\n"
    with smtplib.SMTP("127.0.0.1", port, timeout=timeout) as line:
        if password:
            line.login("shop", password)
        line.sendmail("shop@example.com", [to], mail.encode())


def test_a_mail_is_in_the_book_with_our_id(book: Path) -> None:
    with listening(MailServer(book)) as port:
        send(port, 1)
    (line,) = books.read(book)
    assert (line["mid"], line["to"], line["subject"]) == (mid(1), "anna@example.com", "to 1")


def test_a_repeat_is_booked_twice(book: Path) -> None:
    double = MailServer(book)
    with listening(double) as port:
        send(port, 1)
        send(port, 1)
        send(port, 2)
    assert double.twice() == {mid(1): 2}


@pytest.mark.parametrize(("what", "stage"), BEFORE)
def test_a_fault_before_the_mail_is_taken_books_nothing(what: str, stage: str, book: Path) -> None:
    with listening(MailServer(book, f"{what}@{stage}")) as port, pytest.raises((smtplib.SMTPException, OSError)):
        send(port, 1)
    assert books.read(book) == []


@pytest.mark.parametrize("what", ["cut", "450", "550", "421"])
def test_a_fault_after_the_mail_is_taken_has_it_in_the_book(what: str, book: Path) -> None:
    with listening(MailServer(book, f"{what}@TAKEN")) as port, pytest.raises((smtplib.SMTPException, OSError)):
        send(port, 1)
    assert [line["mid"] for line in books.read(book)] == [mid(1)]


@pytest.mark.parametrize(("stage", "count"), [("MAIL", 0), ("DOT", 0), ("TAKEN", 1)])
def test_silence_is_waited_out_by_the_caller(stage: str, count: int, book: Path) -> None:
    with listening(MailServer(book, f"silence@{stage}")) as port, pytest.raises((smtplib.SMTPException, OSError)):
        send(port, 1, timeout=0.3)
    assert len(books.read(book)) == count


def test_a_line_cut_at_quit_leaves_the_mail_accepted(book: Path) -> None:
    with listening(MailServer(book, "cut@QUIT")) as port:
        send(port, 1)
    assert len(books.read(book)) == 1


def test_a_recipient_named_refused_and_a_wrong_password_are_refused(book: Path) -> None:
    with listening(MailServer(book, password="right")) as port:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(port, 1, to="refused@example.com")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            send(port, 1, password="wrong")
        send(port, 2, password="right")
    assert [line["mid"] for line in books.read(book)] == [mid(2)]


def test_a_mixture_is_drawn_anew_for_each_mail_on_one_line(book: Path) -> None:
    results = set()
    with (
        listening(MailServer(book, "accept:1,450@MAIL:1", seed=2)) as port,
        smtplib.SMTP("127.0.0.1", port, timeout=5) as line,
    ):
        for number in range(20):
            try:
                line.sendmail("shop@example.com", ["a@example.com"], f"Message-ID: <{mid(number)}@x>\r\n\r\nx")
                results.add("taken")
            except smtplib.SMTPSenderRefused:
                results.add("refused")
    assert results == {"taken", "refused"}
    assert 0 < len(books.read(book)) < 20


def test_an_act_that_does_not_exist_is_refused(book: Path) -> None:
    with pytest.raises(ValueError, match="no such act"):
        MailServer(book, "450@LUNCH")


def test_kill_9_keeps_the_book(book: Path) -> None:
    with program("tests.doubles.smtp", "--book", str(book), "--no-sync") as (process, port):
        send(port, 1)
        os.kill(process.pid, signal.SIGKILL)
    with program("tests.doubles.smtp", "--book", str(book)) as (_, port):
        send(port, 2)
    assert [(line["n"], line["mid"]) for line in books.read(book)] == [(1, mid(1)), (2, mid(2))]
