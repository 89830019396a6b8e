"""`plan` and `explain` show beforehand what `tick` then does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.typed import AT, BIRTHDAY, document, lay_out, lines, typed

KEYS = ["campaign", "step", "customer", "email", "occasion", "due", "send_after", "decision", "reason", "basis"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "laden")


def test_plan_names_who_gets_a_mail_and_why_others_do_not(home: Path) -> None:
    planned = lines(home, "plan", "--at", AT)
    assert [(line["customer"], line["decision"], line["reason"], line["basis"]) for line in planned] == [
        ("1", "send", None, "consent"),
        ("2", "skip", "no_consent", None),
    ]
    assert list(planned[0]) == KEYS


def test_plan_looks_days_ahead(home: Path) -> None:
    planned = lines(home, "plan", "--days", "2", "--at", AT)
    assert [(line["customer"], line["due"]) for line in planned if line["decision"] == "send"] == [
        ("1", "2026-11-23"),
        ("3", "2026-11-24"),
    ]


def test_plan_leaves_no_trace(home: Path) -> None:
    assert lines(home, "plan", "--at", AT) == lines(home, "plan", "--at", AT)
    assert lines(home, "log", "--rehearsal") == []


def test_what_plan_foresees_is_what_tick_does(home: Path) -> None:
    planned = {(line["customer"], line["decision"]) for line in lines(home, "plan", "--at", AT)}
    document(home, "tick", "--at", AT)
    words = {"sent": "send", "skipped": "skip"}
    assert {(row["customer"], words[str(row["state"])]) for row in lines(home, "log", "--rehearsal")} == planned


def test_a_cap_holds_among_the_foreseen_mails(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "laden")
    second = BIRTHDAY.replace('id = "birthday"', 'id = "second"')
    (home / "campaigns" / "second.toml").write_text(second, encoding="utf-8")
    with (home / "config.toml").open("a", encoding="utf-8") as config:
        config.write('\n[rules]\nat_most = "1 per 30 days"\n')
    decisions = [
        (line["decision"], line["reason"]) for line in lines(home, "plan", "--at", AT) if line["customer"] == "1"
    ]
    assert sorted(decisions, key=str) == [("hold", "frequency_cap"), ("send", None)]


def test_the_detailed_exit_code_says_that_something_is_due(home: Path) -> None:
    assert typed(home, "plan", "--at", AT, "--detailed-exitcode").exit_code == 10
    assert typed(home, "plan", "--at", "2026-06-01T09:00:00Z", "--detailed-exitcode").exit_code == 0


def test_plan_speaks_to_people_in_the_shops_language_and_masks_addresses(home: Path) -> None:
    shown = typed(home, "plan", "--at", AT, "--list").stdout
    assert "birthday" in shown
    assert "Einwilligung" in shown
    assert "a***@example.com" in shown
    assert "anna@" not in shown


def test_explain_gives_the_rules_in_order(home: Path) -> None:
    found = document(home, "explain", "ben@example.com", "birthday", "--at", AT)
    assert isinstance(found, dict)
    assert list(found) == ["customer", "campaign", "at", "decision", "reason", "basis", "trail"]
    assert (found["decision"], found["reason"]) == ("skip", "no_consent")
    checks = [line["check"] for line in found["trail"]]
    assert checks.index("campaign") < checks.index("permission") < checks.index("frequency_cap")


def test_explain_says_when_the_next_occasion_is(home: Path) -> None:
    found = document(home, "explain", "3", "birthday", "--at", AT)
    assert isinstance(found, dict)
    assert (found["decision"], found["reason"]) == ("hold", "not_due")
    assert found["trail"][0] == {"check": "due", "result": "wait", "detail": "next due 2026-11-24"}


def test_explain_without_a_campaign_goes_through_all(home: Path) -> None:
    found = document(home, "explain", "1", "--at", AT)
    assert isinstance(found, list)
    assert [one["campaign"] for one in found] == ["birthday"]


@pytest.mark.parametrize("words", [["nobody"], ["1", "brithday"]])
def test_explaining_what_is_not_there_finds_nothing(home: Path, words: list[str]) -> None:
    assert typed(home, "explain", *words).exit_code == 7
