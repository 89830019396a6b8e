"""Sends mails through django-mailer or django-post-office and anymail; runs in an environment of its own.

Called as `_django.py PEER SINK MAILS FOLDER`; MAILS holds one finished mail a line. Prints JSON: mails and seconds.
Django is imported once it is told who it is.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

BACKENDS = {"mailer": "mailer.backend.DbBackend", "post_office": "post_office.EmailBackend"}


def settings(peer: str, sink: str, folder: Path) -> dict[str, Any]:
    """Return Django's settings: SQLite as durable as ours, Resend's API at the sink."""
    durable = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / f"{peer}.db"),
        "OPTIONS": {"init_command": durable, "transaction_mode": "IMMEDIATE", "timeout": 60},
    }
    resend = "anymail.backends.resend.EmailBackend"
    return {
        "SECRET_KEY": "of the bench",
        "INSTALLED_APPS": ["django.contrib.contenttypes", "anymail", peer],
        "DATABASES": {"default": database},
        "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "USE_TZ": True,
        "EMAIL_BACKEND": BACKENDS[peer],
        "MAILER_EMAIL_BACKEND": resend,
        "MAILER_LOCK_PATH": str(folder / "mailer.lock"),
        "POST_OFFICE": {"BACKENDS": {"default": resend}, "BATCH_SIZE": 1000, "THREADS_PER_PROCESS": 5},
        "ANYMAIL": {"RESEND_API_KEY": "key", "RESEND_API_URL": f"{sink}/"},
    }


def main(peer: str, sink: str, mails: str, folder: str) -> None:
    """Enqueue every mail and send the queue."""
    import django
    from django.conf import settings as django_settings
    from django.core.management import call_command

    django_settings.configure(**settings(peer, sink, Path(folder)))
    django.setup()
    call_command("migrate", verbosity=0)
    lines = [json.loads(line) for line in Path(mails).read_text(encoding="utf-8").splitlines()]
    began = perf_counter()
    enqueue(lines)
    between = perf_counter()
    (send_mailer if peer == "mailer" else send_post_office)(Path(folder))
    print(json.dumps({"mails": len(lines), "enqueue": between - began, "send": perf_counter() - between}))


def enqueue(lines: list[dict[str, Any]]) -> None:
    """Give Django every mail, as a program of its own would."""
    from django.core.mail import EmailMultiAlternatives

    for line in lines:
        mail = EmailMultiAlternatives(
            line["subject"], line["text"], line["from"], [line["to"]], headers=line["headers"]
        )
        mail.attach_alternative(line["html"], "text/html")
        mail.send()


def send_mailer(_folder: Path) -> None:
    """Send django-mailer's queue: one process, under its lock."""
    from mailer.engine import send_all

    send_all()


def send_post_office(folder: Path) -> None:
    """Send django-post-office's queue with two processes of five threads each."""
    from post_office.mail import send_queued_mail_until_done

    send_queued_mail_until_done(lockfile=str(folder / "post_office"), processes=2, log_level=0)


if __name__ == "__main__":
    main(*sys.argv[1:5])
