"""`treuepost stop` and `treuepost consent`: what customers allow and forbid, from any channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import Translate, clock_at, opened_premises, spoken
from engine.cli.output import print_json, say, shown
from engine.cli.reasons import BASES, KINDS, REASONS
from engine.cli.verifying import verify
from engine.domain.calendar import local_time
from engine.domain.words import Reason
from engine.errors import TreuepostError

if TYPE_CHECKING:
    from engine.app import Premises
    from engine.domain.permission import Permitted, Refused
    from engine.steps.consent.requesting import Passed
    from engine.steps.foresight.recounting import History
    from engine.steps.subscribing import Stopped
    from engine.store.consents import ConsentEntry

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Who = Annotated[str, typer.Argument(metavar="WHO", help="A customer number, an address, or a name in quotes.")]
_InFull = Annotated[bool, typer.Option("--show-addresses", help="Show e-mail addresses in full.")]

_PREFIX = 12
STATES = {
    "confirmed": "agreed and confirmed it",
    "requested": "asked for mail; not confirmed",
    "withdrawn": "took the consent back",
    "objected": "objected to all advertising",
    "claimed": "is said to have agreed; no proof",
}


def register(app: typer.Typer) -> None:
    """Add `stop` and the commands under `consent`."""
    app.command("stop")(stop)
    noun = typer.Typer(help="What customers allowed and forbade.", no_args_is_help=True, rich_markup_mode=None)
    noun.command("request")(request)
    noun.command("record")(record)
    noun.command("withdraw")(withdraw)
    noun.command("show")(show)
    noun.command("verify")(verify)
    app.add_typer(noun, name="consent")


def stop(
    ctx: typer.Context,
    who: _Who,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help='How it was said: "called at 14:05".')],
    as_json: _Json = False,
) -> None:
    """Take an objection to advertising, made by phone, letter, reply or at the counter. It counts at once."""
    from engine.clock import system_clock
    from engine.steps.subscribing import object_from_any_channel

    with opened_premises(ctx) as shop:
        done = object_from_any_channel(shop, who, because, system_clock())
        if as_json:
            print_json(_stopped_document(who, done))
            return
        _ = spoken(shop.config)
        if done.known:
            names = ", ".join(one.name for one in done.people)
            say(_("%(names)s will get no more advertising, from this moment on.", names=names))
        else:
            say(_("Nobody here has the address %(email)s.", email=shown(done.emails[0])))
            say(_("It is blocked for advertising from this moment on, even if it is imported later."))
        _print_stopped(done, _)
        say(_("Mails that belong to a contract still go."))


def record(
    ctx: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The address the customer named.")],
    state: Annotated[str, typer.Option("--state", help="requested | claimed. Only the customer can confirm.")],
    source: Annotated[str, typer.Option("--source", help='Where it was said: "form no. 17", "counter".')],
    wording: Annotated[str, typer.Option("--wording", metavar="ID", help="The text agreed to ([wording.ID]).")] = "",
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it was said (RFC 3339).")] = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Anything worth keeping.")] = "",
    as_json: _Json = False,
) -> None:
    """Note that somebody asked for mail or is said to have agreed. This permits nothing by itself."""
    from engine.clock import system_clock
    from engine.steps import subscribing

    with opened_premises(ctx) as shop:
        now = system_clock()
        said_at = clock_at(at, shop.config.shop.zone)() if at else now
        heard = subscribing.Hearsay(email, state, said_at, source, wording, note)
        is_new = subscribing.note(shop, heard, now)
        if as_json:
            print_json({"email": email, "state": state, "at": said_at, "new": is_new})
            return
        _ = spoken(shop.config)
        say(_("Noted for %(email)s." if is_new else "This was noted for %(email)s before.", email=shown(email)))
        say(_("It permits no mail: only what the customer confirms counts."))


def request(
    ctx: typer.Context,
    who: _Who,
    wording: Annotated[str, typer.Option("--wording", metavar="ID", help="The text that was shown ([wording.ID]).")],
    evidence: Annotated[str, typer.Option("--evidence", metavar="TEXT", help='How it was asked for: "form no. 17".')],
    as_json: _Json = False,
) -> None:
    """Send one person who asked for it the one mail with the link to confirm. Never for lists."""
    from engine.clock import system_clock
    from engine.steps.consent.requesting import pass_on

    with opened_premises(ctx) as shop:
        done = pass_on(shop, who, wording, evidence, system_clock())
        if as_json:
            reason = None if done.queued else done.outcome
            print_json({"email": done.email, "wording": wording, "queued": done.queued, "reason": reason})
        else:
            _tell_request(done, spoken(shop.config))
        if not done.queued:
            raise typer.Exit(TreuepostError.exit_code)


def _tell_request(done: Passed, _: Translate) -> None:
    email = shown(done.email)
    if done.queued:
        say(_("%(email)s gets one mail with a link. Only the click in it permits anything.", email=email))
    elif done.outcome == "too_many":
        say(_("%(email)s was asked before: one mail in 24 hours and three in 30 days, no more.", email=email), err=True)
    else:
        reason = _(REASONS[Reason(done.outcome)])
        say(_("%(email)s gets no mail: %(reason)s.", email=email, reason=reason), err=True)


def withdraw(
    ctx: typer.Context,
    who: _Who,
    kinds: Annotated[str, typer.Option("--kinds", metavar="LIST", help='Only these: "birthday;coupon".')] = "",
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="How it was said.")] = "",
    as_json: _Json = False,
) -> None:
    """Take consent back, all of it or for some kinds of mail."""
    from engine.clock import system_clock
    from engine.steps import subscribing

    named = [kind.strip().lower() for kind in kinds.replace(",", ";").split(";") if kind.strip()]
    with opened_premises(ctx) as shop:
        done = subscribing.withdraw(shop, who, because, system_clock(), named)
        if as_json:
            print_json({**_stopped_document(who, done), "kinds": named})
            return
        _ = spoken(shop.config)
        names = ", ".join(one.name for one in done.people)
        what = _named(named, _) or _("everything")
        say(_("%(names)s no longer agrees to: %(what)s.", names=names, what=what))
        _print_stopped(done, _)


def show(ctx: typer.Context, who: _Who, show_addresses: _InFull = False, as_json: _Json = False) -> None:
    """Tell what somebody has allowed and forbidden, with the evidence, and what may be sent now."""
    from engine.clock import system_clock
    from engine.steps.foresight.recounting import recount

    with opened_premises(ctx) as shop:
        histories = recount(shop, who, system_clock())
        if as_json:
            documents = [_history_document(one) for one in histories]
            print_json(documents[0] if len(documents) == 1 else documents)
            return
        for one in histories:
            _print_history(one, shop, in_full=show_addresses)


def _print_stopped(done: Stopped, _: Translate) -> None:
    if done.known and done.emails:
        say(_("It holds for: %(emails)s", emails=", ".join(shown(email) for email in done.emails)))
    if done.skipped:
        say(_("%(count)s waiting mails were struck out.", count=done.skipped))
    if done.under_way:
        say(_("%(count)s mails may be on their way already.", count=done.under_way))


def _stopped_document(who: str, done: Stopped) -> dict[str, object]:
    return {
        "who": who,
        "known": done.known,
        "customers": [one.customer_id for one in done.people],
        "emails": list(done.emails),
        "skipped": done.skipped,
        "under_way": done.under_way,
    }


def _print_history(one: History, shop: Premises, *, in_full: bool) -> None:
    _ = spoken(shop.config)
    say(f"{one.name or '–'}  {shown(one.email, in_full=in_full)}  {one.customer_id or ''}".rstrip())
    for event in one.events:
        when = local_time(event.at, shop.config.shop.zone)
        email = shown(event.email, in_full=in_full)
        say(f"  {when}  {email}  {_(STATES[event.state])}{_evidence(event, _)}")
    said_already = {event.at for event in one.events}  # the same "no", kept as a hash besides
    for block in one.suppressions:
        if block.at in said_already:
            continue
        say(f"  {local_time(block.at, shop.config.shop.zone)}  {_('blocked')}: {_(REASONS[block.reason])}")
    if not one.events and not one.suppressions:
        say("  " + _("Nothing is recorded."))
    say(_("Now:"))
    for kind, said in one.kinds.items():
        say(f"  {_(KINDS[kind])}: {_verdict(said, _)}")


def _evidence(event: ConsentEntry, _: Translate) -> str:
    facts = {
        "for %(value)s": _named(sorted(event.kinds), _),
        "text %(value)s": event.wording,
        "source %(value)s": event.source,
        "proof %(value)s": event.proof,
        "no. %(value)s": f"{event.id}",
        "log position %(value)s": f"{event.seq}/{event.hash[:_PREFIX]}",
    }
    told = [_(sentence, value=value) for sentence, value in facts.items() if value]
    if event.erased:
        told.append(_("its personal data was erased"))
    if event.state == "confirmed" and not event.proven:
        told.append(_("consent without proof"))
    return f" ({'; '.join(told)})"


def _named(kinds: Iterable[str], _: Translate) -> str:
    return ", ".join(_(KINDS.get(kind, kind)) for kind in kinds)


def _verdict(said: Permitted | Refused, _: Translate) -> str:
    from engine.domain.permission import Permitted

    if isinstance(said, Permitted):
        return _("yes, by %(basis)s (%(evidence)s)", basis=_(BASES[said.basis]), evidence=said.evidence)
    if said.reason is Reason.ADVERTISES_MISSING:  # no campaign is asked about here; its purchases would carry it
        return _("yes, where the campaign advertises what is similar to the purchase (treuepost explain)")
    return _("no: %(reason)s", reason=_(REASONS[said.reason]))


def _history_document(one: History) -> dict[str, object]:
    return {
        "customer": one.customer_id,
        "email": one.email,
        "events": [_event_document(event) for event in one.events],
        "suppressions": [
            {"reason": block.reason, "scope": block.scope, "at": block.at, "because": block.source}
            for block in one.suppressions
        ],
        "kinds": {kind: _verdict_document(said) for kind, said in one.kinds.items()},
    }


def _event_document(event: ConsentEntry) -> dict[str, object]:
    names = (
        "id",
        "seq",
        "hash",
        "email",
        "state",
        "at",
        "recorded_at",
        "wording",
        "source",
        "proof",
        "proven",
        "actor",
        "erased",
    )
    return {**{name: getattr(event, name) for name in names}, "kinds": sorted(event.kinds), "details": event.details}


def _verdict_document(said: Permitted | Refused) -> dict[str, object]:
    from engine.domain.permission import Permitted

    if isinstance(said, Permitted):
        return {"decision": "send", "basis": said.basis, "evidence": said.evidence}
    return {"decision": "skip", "reason": said.reason, "detail": said.detail}
