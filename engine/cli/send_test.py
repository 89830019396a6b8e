"""`treuepost send-test`: one mail with a real customer's data, to me; not counted, and in nobody's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import opened, spoken
from engine.cli.output import print_json, say
from engine.errors import ProviderRefused, TreuepostError, UsageError

if TYPE_CHECKING:
    from engine.domain.words import Result


def register(app: typer.Typer) -> None:
    """Add `send-test`."""
    app.command("send-test")(send_test)


def send_test(
    ctx: typer.Context,
    campaign: Annotated[str, typer.Argument(help="The campaign's id.")],
    to: Annotated[str, typer.Option("--to", metavar="ME", help="Where the mail goes.")],
    who: Annotated[str, typer.Option("--as", metavar="WHO", help="Whose data it is made from.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Send me the mail WHO would get. It is marked [TEST], counts for nothing and is in nobody's log."""
    from engine.steps import suppressing
    from engine.steps.foresight import trying

    me = suppressing.valid_address(to)
    with opened(ctx) as app:
        email, result = trying.send_test(app, campaign, who, me, app.clock())
        _refuse_failure(result)
        if as_json:
            print_json({"campaign": campaign, "to": me, "subject": email.subject, "provider": app.provider.name})
            return
        _ = spoken(app.config)
        say(_('Sent to %(to)s: "%(subject)s"', to=me, subject=email.subject))
        if app.rehearsal:
            say(_("Rehearsal: the mail lies in %(folder)s.", folder=app.home / "outbox" / f"{email.message_id}.eml"))


def _refuse_failure(result: Result) -> None:
    """End with an error unless the provider took the mail."""
    from engine.domain.words import Accepted, NotSent, Refused

    if isinstance(result, Accepted):
        return
    if isinstance(result, NotSent) and result.credentials:
        raise ProviderRefused(f"The provider refused the credentials: {result.detail}", "Check the key or password.")
    if isinstance(result, Refused):
        raise UsageError(f"The provider refused the mail: {result.detail}", "Check --to and [provider] from.")
    raise TreuepostError(f"The test mail was not confirmed: {result.detail}", "Try `treuepost doctor --online`.")
