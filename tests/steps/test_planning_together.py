"""Several schedulers plan the same store at once: nobody is planned twice, and none of them fails."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import date, timedelta

from tests.conftest import MakeApp
from tests.end_to_end.command import ROOT, environment
from tests.people import NOW, add_consent, add_customer, add_purchase
from tests.steps.sending_shop import BIRTHDAY, MESSAGES, rows

THANKS = """
id = "thanks"
name = "Danke"
kind = "thank_you"
advertises = ["*"]

[trigger]
on = "purchase"
when = "1 day after"

[start]
from = 2026-11-01

[message]
subject = "Danke"
body = "{{ greeting }}, danke."
"""

PEOPLE = 120
DAYS = 4
SCHEDULERS = 3
PROGRAM = """
import sys
from datetime import datetime, timedelta
from pathlib import Path
from engine.app import assemble
from engine.clock import stopped_at
from engine.config.loading import load_config
from engine.steps import planning

config = load_config(Path(sys.argv[1]), {})
now = datetime.fromisoformat(sys.argv[2])
for day in range(int(sys.argv[3])):
    at = now + timedelta(days=day)
    app = assemble(config, stopped_at(at))
    print("ready", flush=True)
    sys.stdin.readline()
    print(planning.plan(app, at).planned, flush=True)
    app.database.close()
"""


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_three_schedulers_at_once_plan_everybody_once(make_app: MakeApp) -> None:
    app = make_app(campaigns={"birthday": BIRTHDAY, "thanks": THANKS})
    with app.database.write() as session:
        for number in range(PEOPLE):
            born = date(1980, NOW.month, NOW.day) + timedelta(days=number % DAYS)
            customer = add_customer(session, str(number), f"k{number}@example.com", birthday=born)
            add_consent(session, customer)
            add_purchase(session, customer, f"p{number}", NOW + timedelta(days=number % DAYS - 1))
    command = [sys.executable, "-c", PROGRAM, str(app.config.file), NOW.isoformat(), str(DAYS)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    schedulers = [
        subprocess.Popen(command, cwd=ROOT, env=environment(), **pipes)  # type: ignore[call-overload]
        for _ in range(SCHEDULERS)
    ]
    planned = 0
    for _ in range(DAYS):
        assert [_line(each) for each in schedulers] == ["ready"] * SCHEDULERS
        for each in schedulers:
            each.stdin.write("go\n")
            each.stdin.flush()
        planned += sum(int(_line(each) or -10_000) for each in schedulers)
    said = [each.communicate()[1] for each in schedulers]
    assert [each.returncode for each in schedulers] == [0] * SCHEDULERS, said
    messages = Counter((row.campaign, row.customer_id) for row in rows(app, MESSAGES))
    assert messages == {(campaign, number + 1): 1 for campaign in ("birthday", "thanks") for number in range(PEOPLE)}
    assert planned == 2 * PEOPLE
