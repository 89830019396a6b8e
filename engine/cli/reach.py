"""`treuepost reach`, the truth about the list: whom we may write to at all, and what is missing for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import Translate, opened, spoken
from engine.cli.output import print_json, say
from engine.cli.reasons import BASES, KINDS, REASONS, REMEDIES
from engine.domain.words import Basis, Reason
from engine.errors import NothingFound

if TYPE_CHECKING:
    from datetime import datetime

    from engine.app import App
    from engine.steps.foresight.reaching import Reach, Target

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="As of this instant (RFC 3339).")]


def register(app: typer.Typer) -> None:
    """Add `reach`."""
    app.command("reach")(reach)


def reach(
    ctx: typer.Context,
    campaign: Annotated[str | None, typer.Argument(help="A campaign's id, or a kind of mail (default: all).")] = None,
    at: _At = None,
    as_json: _Json = False,
) -> None:
    """Count who may be written to, on which basis, and what is missing for the others."""
    from engine.steps.foresight import reaching

    with opened(ctx, at) as app:
        found = reaching.reach(app, _targets(app, campaign), app.clock())
        if as_json:
            documents = [as_document(one) for one in found]
            print_json(documents[0] if len(documents) == 1 else documents)
        else:
            print_reach(found, spoken(app.config), app.config.shop.language)


def tell(app: App, now: datetime) -> None:
    """Print the reach of every campaign: what `init` and `demo` end with."""
    from engine.steps.foresight import reaching

    print_reach(reaching.reach(app, _targets(app, None), now), spoken(app.config), app.config.shop.language)


def _targets(app: App, wanted: str | None) -> list[Target]:
    from engine.domain.permission import KINDS as LAWFUL
    from engine.steps import subscribing
    from engine.steps.foresight import reaching

    every = reaching.targets_of(app.campaigns, subscribing.policy_of(app.config))
    if wanted is None:
        return every
    if wanted in LAWFUL and not app.campaign(wanted):
        return [reaching.Target(wanted, wanted, wanted)]
    if named := [target for target in every if target.name == wanted]:
        return named
    known = ", ".join(target.name for target in every)
    raise NothingFound(f'There is no campaign "{wanted}".', f"There are: {known}. A kind of mail can be named as well.")


def as_document(found: Reach) -> dict[str, object]:
    """Return the counts with exactly the keys of the public interface."""
    return {
        "campaign": found.target.name,
        "customers": found.customers,
        "permitted": dict(found.permitted.most_common()),
        "refused": dict(found.refused.most_common()),
    }


def print_reach(found: Sequence[Reach], _: Translate, language: str) -> None:
    """Print the counts in the owner's words, and how there will be more."""
    if not found:
        say(_("There is no campaign yet, and no wording anybody could have agreed to."))
        return
    customers = found[0].customers
    with_address = customers - found[0].refused[Reason.NO_ADDRESS]
    text = "%(with_address)s of %(customers)s customers have an e-mail address. Today you may write to:"
    say(_(text, with_address=figure(with_address, language), customers=figure(customers, language)))
    titles = [_title(one.target, _) for one in found]
    for title, one in zip(titles, found, strict=True):
        count = figure(one.permitted.total(), language)
        say(f"  {title:<{max(map(len, titles))}}  {count:>8}   {_note(one, _)}")
        if len(found) == 1:
            _print_reasons(one, _, language)
    _print_remedies(found, _)


def figure(number: int, language: str) -> str:
    """Return a number as the owner writes it: 1.400 in German, 1,400 in English."""
    return f"{number:,}".replace(",", "." if language == "de" else ",")


def _title(target: Target, _: Translate) -> str:
    is_kind = target.title == target.kind
    return _(KINDS[target.kind]) if is_kind else target.title


def _note(one: Reach, _: Translate) -> str:
    """Say on which basis; where nobody may be written to, what most are lacking."""
    if one.permitted:
        return ", ".join(_(BASES[Basis(basis)]) for basis, _count in one.permitted.most_common())
    reasons = [Reason(reason) for reason, _count in one.refused.most_common() if reason != Reason.NO_ADDRESS]
    return _(REASONS[reasons[0]]) if reasons else ""


def _print_reasons(one: Reach, _: Translate, language: str) -> None:
    for reason, count in one.refused.most_common():
        say(f"    {figure(count, language):>8}  {_(REASONS[Reason(reason)])}")


def _print_remedies(found: Sequence[Reach], _: Translate) -> None:
    lacking: Counter[str] = Counter()
    for one in found:
        lacking.update(one.refused)
    remedies = [REMEDIES[Reason(reason)] for reason, _count in lacking.most_common() if Reason(reason) in REMEDIES]
    if remedies:
        say(_("This is how there will be more:"))
    for number, remedy in enumerate(remedies, 1):
        say(f"  {number}. {_(remedy)}")
