"""The right to write in plain Python: whom the bike shop may mail on a day, and why not the others, from its CSV files.

The second opinion on `treuepost reach`: it shares no line with the engine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from tests.end_to_end.bike_shop import Files, add_months, bought_on, said_by

Row = dict[str, str]
TWO_YEARS = 24


@dataclass
class Mail:
    """One campaign: its kind, and what it advertises; None is a mail about the purchase itself."""

    kind: str
    advertises: list[str] | None = None


@dataclass
class Rules:
    """What the config says: whether the notice is registered, and which categories are similar."""

    notice: bool
    groups: list[list[str]]


def reach(files: Files, mail: Mail, rules: Rules, day: date) -> tuple[Counter[str], Counter[str]]:
    """Count who may get a mail, by basis, and the others, by reason."""
    history, purchases = said_by(files), defaultdict(list)
    for row in files.purchases:
        purchases[row["customer_id"]].append(row)
    contracts = {row["customer_id"] for row in files.items if row["contract_ref"]}
    permitted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for row in files.customers:
        who = row["customer_id"]
        if not row["email"].isascii():
            refused.update(["unsendable_address"])
            continue
        if mail.kind == "contract_appointment":
            (permitted if who in contracts else refused).update(["contract" if who in contracts else "no_contract"])
            continue
        basis, reason = _advertise(history[row["email"].lower()], purchases[who], mail, rules, day)
        (permitted if basis else refused).update([basis or reason])
    return permitted, refused


def _advertise(said: list[tuple[str, str]], bought: list[Row], mail: Mail, rules: Rules, day: date) -> tuple[str, str]:
    missing = _consent(said, day)
    if missing in ("", "withdrawn"):
        return ("", missing) if missing else ("consent", "")
    lacking = _purchase(bought, mail, rules, day)
    if not lacking:
        return "existing_customer", ""
    near = lacking in ("stale_customer", "advertises_everything", "category_not_similar")
    return "", lacking if near or missing == "no_consent" else missing


def _consent(said: list[tuple[str, str]], day: date) -> str:
    states = {state for _, state in said}
    if "withdrawn" in states:
        return "withdrawn"
    given = [datetime.fromisoformat(at).date() for at, state in said if state == "confirmed"]
    if given:
        return "" if add_months(max(given), TWO_YEARS) >= day else "stale_consent"
    return "not_confirmed" if "requested" in states else "no_consent"


def _purchase(bought: list[Row], mail: Mail, rules: Rules, day: date) -> str:
    concluded = [row for row in bought if row["status"] == "concluded"]
    noticed = [row for row in bought if row["notice"]] if rules.notice else []
    if not concluded and not noticed:
        return "no_purchase" if rules.notice and mail.kind != "birthday" else "no_consent"
    if mail.kind == "birthday":
        return "kind_needs_consent"
    if not concluded:
        return "purchase_not_concluded"
    fit = [row for row in concluded if row in noticed]
    if not fit:
        return "notice_missing"
    fresh = [row for row in fit if add_months(bought_on(row), TWO_YEARS) >= day]
    if not fresh:
        return "stale_customer"
    return _goods([word for row in fresh for word in row["categories"].split(";")], mail, rules)


def _goods(bought: list[str], mail: Mail, rules: Rules) -> str:
    if mail.advertises is None:
        return ""
    if mail.advertises == ["*"]:
        return "advertises_everything"
    return "" if all(_like(word, bought, rules.groups) for word in mail.advertises) else "category_not_similar"


def _like(word: str, bought: list[str], groups: list[list[str]]) -> bool:
    def lies_in(category: str, wider: str) -> bool:
        return f"{category}.".startswith(f"{wider}.")

    if any(lies_in(word, other) for other in bought):
        return True
    around = [group for group in groups if any(lies_in(word, member) for member in group)]
    return any(lies_in(other, member) for group in around for member in group for other in bought)
