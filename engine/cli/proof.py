"""`treuepost proof`: one folder that answers a lawyer's letter, also about an address nobody knows."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.opening import opened_premises, spoken
from engine.cli.output import print_json, say


def register(app: typer.Typer) -> None:
    """Add `proof`."""
    app.command("proof")(proof)


def proof(
    ctx: typer.Context,
    who: Annotated[str, typer.Argument(metavar="WHO", help="A customer number, an address, or a name in quotes.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for what is handed out.")],
    operator: Annotated[str, typer.Option("--operator", metavar="NAME", help="Who makes it (default: you).")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show why somebody was written to, or that nobody ever did: a page to print, JSON, and every mail as sent."""
    from engine.cli import proof_page
    from engine.clock import system_clock
    from engine.rendering import document
    from engine.steps.privacy import proving

    with opened_premises(ctx) as shop:
        _ = spoken(shop.config)
        found = proving.prove(shop, who, operator.strip() or _user(), system_clock())
        page = document.render(proof_page.page(found, shop.config, _))
        files = proving.hand_out(shop, found, page, out)
        if as_json:
            counts = {"mails": len(found.mails), "events": len(found.events), "suppressions": len(found.suppressions)}
            print_json({"finding": found.finding.value, "folder": str(out), "files": files, **counts})
            return
        say(_(_FINDINGS[found.finding.value], count=len(found.mails)))
        say(_("%(count)s files are in %(folder)s. Begin with proof.html.", count=len(files), folder=out))
        say(_("They hold personal data in full: give them to nobody but the person, a lawyer or an authority."))


_FINDINGS = {
    "written_to": "This person was written to: %(count)s mails besides what was asked for on a page.",
    "never_written_to": "This person was never written to.",
    "unknown_address": "This address is not known here and was never written to.",
    "erased": "The data of this person was erased; no mail is on record any more.",
}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
