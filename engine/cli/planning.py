"""`treuepost plan` and `treuepost explain`: see beforehand who gets what and why somebody else does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import opened, spoken
from engine.cli.output import print_json, print_json_line, say, shown
from engine.domain.calendar import local_time

if TYPE_CHECKING:
    from engine.app import App
    from engine.cli.opening import Translate
    from engine.steps.foresight.explaining import Explanation
    from engine.steps.foresight.foreseeing import Forecast, Foreseen

DUE = 10
_LASTING = frozenset({"lapsed"})
"""Triggers whose occasion lasts: who was due before the start still is. A birthday of last spring is only over."""
_DECISIONS = {"send": "will be sent", "skip": "not written to", "hold": "held"}
_Json = Annotated[bool, typer.Option("--json", help="Print JSON (plan: one object a line).")]
_At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="As if it were TIME (RFC 3339).")]
_InFull = Annotated[bool, typer.Option("--show-addresses", help="Show e-mail addresses in full.")]


def register(app: typer.Typer) -> None:
    """Add `plan` and `explain`."""
    app.command("plan")(plan)
    app.command("explain")(explain)


def plan(
    ctx: typer.Context,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many local days.")] = 1,
    at: _At = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="End with 10 when a mail would go out.")
    ] = False,
    list_mails: Annotated[bool, typer.Option("--list", help="Show every mail, not only the sums.")] = False,
    show_addresses: _InFull = False,
    as_json: _Json = False,
) -> None:
    """Show what would go out, what would be held and why. Nothing is sent, nothing is kept."""
    from engine.steps.foresight import foreseeing

    with opened(ctx, at) as app:
        forecast = foreseeing.foresee(app, app.clock(), days)
        if as_json:
            for line in forecast.lines:
                print_json_line(asdict(line))
        else:
            show_forecast(app, forecast, list_mails=list_mails, in_full=show_addresses)
    if detailed_exitcode and forecast.sends:
        raise typer.Exit(DUE)


def show_forecast(app: App, forecast: Forecast, *, list_mails: bool = False, in_full: bool = False) -> None:
    """Print what would happen, campaign by campaign, with the reasons counted."""
    from engine.language import Language

    _ = spoken(app.config)
    zone = app.config.shop.zone
    span = {"since": local_time(forecast.first, zone), "until": local_time(forecast.last, zone)}
    say(_("Plan from %(since)s to %(until)s", **span) + "\n")
    if not any(campaign.enabled for campaign in app.campaigns):
        say("  " + _("No campaign is switched on (enabled = true)."))
    for campaign in app.campaigns:
        lines = [line for line in forecast.lines if line.campaign == campaign.id]
        if campaign.enabled:
            older = forecast.passed_over.get(campaign.id, 0) if campaign.trigger.on in _LASTING else 0
            _show_campaign(campaign.id, lines, older, _)
            if list_mails:
                _show_mails(app, lines, in_full=in_full)
    would = Language(app.config.shop.language).ngettext(
        "%(number)s mail would go out. Nothing was sent.",
        "%(number)s mails would go out. Nothing was sent.",
        forecast.sends,
    )
    say(f"\n{would}")


def _show_campaign(name: str, lines: list[Foreseen], passed_over: int, _: Translate) -> None:
    from engine.cli.sentences import sentence

    sends = sum(line.decision == "send" for line in lines)
    kept = Counter((line.decision, line.reason) for line in lines if line.decision != "send")
    mark = "+" if sends and not kept else "~" if sends else "!" if kept else " "
    mails = _("%(count)s mail" if sends == 1 else "%(count)s mails", count=sends)
    say(f"  {mark} {name:<22} {mails:>10}")
    for (decision, reason), count in sorted(kept.items(), key=lambda pair: -pair[1]):
        word = _("held") if decision == "hold" else _("not written to")
        say(f"      {count:>5} {word}: {sentence(reason, _)}")
    if passed_over:
        say(f"      {passed_over:>5} " + _("were due before the campaign's start and are passed over"))


def _show_mails(app: App, lines: list[Foreseen], *, in_full: bool) -> None:
    from engine.cli.reasons import BASES
    from engine.cli.sentences import sentence

    _ = spoken(app.config)
    for line in lines:
        why = sentence(line.reason, _) if line.reason else _(BASES[line.basis]) if line.basis else ""
        when = local_time(line.send_after, app.config.shop.zone)
        to = shown(line.email, in_full=in_full)
        say(f"        {when}  {_(_DECISIONS[line.decision]):<16}  {line.customer:<12}  {to:<26}  {why}")


def explain(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(help="A customer: the shop's number, an address or a name.")],
    campaign: Annotated[str | None, typer.Argument(help="A campaign's id (default: every campaign).")] = None,
    at: _At = None,
    show_addresses: _InFull = False,
    as_json: _Json = False,
) -> None:
    """Show, rule by rule, why somebody would or would not get a mail, and when the next occasion is."""
    from engine.steps.foresight import explaining

    with opened(ctx, at) as app:
        found = explaining.explain(app, who, campaign, app.clock())
        if as_json:
            documents = [explaining.as_document(one) for one in found]
            print_json(documents[0] if campaign and len(documents) == 1 else documents)
            return
        for one in found:
            _show_explanation(app, one, in_full=show_addresses)


def _show_explanation(app: App, found: Explanation, *, in_full: bool) -> None:
    from engine.cli.reasons import BASES, REMEDIES
    from engine.cli.sentences import sentence
    from engine.cli.trail import trail_lines

    _ = spoken(app.config)
    say(f"{found.name} · {shown(found.email, in_full=in_full)} · {_('customer')} {found.customer} · {found.campaign}")
    for line in trail_lines(found.trail, app.config.shop.zone, _):
        say(line)
    if found.decision == "send":
        say("  => " + _("would get the mail (%(basis)s)", basis=_(BASES[found.basis]) if found.basis else "–"))
    else:
        say("  => " + _("gets no mail now: %(reason)s", reason=sentence(found.reason, _)))
        if found.reason and found.reason in REMEDIES:
            say("     " + _(REMEDIES[found.reason]))
    if found.next_due:
        say("  => " + _("next occasion: %(day)s", day=found.next_due.isoformat()))
    say()
