"""`treuepost init DIR`: nine questions, none in legal words; then it tells the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import Translate
from engine.cli.output import print_json, say
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.cli.starter import Answers

_ASKED = (
    "language",
    "trade",
    "name",
    "address",
    "phone",
    "email",
    "legal_form",
    "represented_by",
    "register_entry",
    "chamber",
    "address_form",
    "holidays",
    "provider",
    "base_url",
    "dpa_signed_at",
    "wording",
    "has_notice",
    "has_contracts",
    "contract_column",
    "customers",
)
"""The flags that answer a question; each is a field of Answers."""


def register(app: typer.Typer) -> None:
    """Add `init`."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new shop's folder.")],
    language: Annotated[str, typer.Option(help="de or en: the language of questions, mails and pages.")] = "de",
    trade: Annotated[str | None, typer.Option(help="plumbing, bikes, bakery, fashion, practice or other.")] = None,
    name: Annotated[str | None, typer.Option(help="The shop's name.")] = None,
    address: Annotated[str | None, typer.Option(help="Street, postcode and town.")] = None,
    phone: Annotated[str | None, typer.Option()] = None,
    email: Annotated[str | None, typer.Option(help="The shop's own address: mails come from it.")] = None,
    legal_form: Annotated[str | None, typer.Option(help="Such as GmbH, e.K., Einzelunternehmen.")] = None,
    represented_by: Annotated[str | None, typer.Option(help="Who represents the company.")] = None,
    register_entry: Annotated[str | None, typer.Option(help="Court and number of the register.")] = None,
    chamber: Annotated[str | None, typer.Option(help="The chamber, for crafts.")] = None,
    address_form: Annotated[str | None, typer.Option(help="Sie or du.")] = None,
    holidays: Annotated[str | None, typer.Option(help="The state, like DE-BY.")] = None,
    provider: Annotated[str | None, typer.Option(help="outbox, smtp, brevo, resend or postmark.")] = None,
    base_url: Annotated[str | None, typer.Option(help="The mail server, like smtp://user@host:587.")] = None,
    dpa_signed_at: Annotated[str | None, typer.Option(help="Day of the processing agreement, like 2026-11-01.")] = None,
    wording: Annotated[str | None, typer.Option(help="Text beside the double opt-in box.")] = None,
    has_notice: Annotated[bool | None, typer.Option("--notice/--no-notice", help="Is the § 7(3) hint shown?")] = None,
    has_contracts: Annotated[bool | None, typer.Option("--contracts/--no-contracts", help="Service contracts?")] = None,
    contract_column: Annotated[str | None, typer.Option(help="The column that holds the contract's number.")] = None,
    customers: Annotated[str | None, typer.Option(help="The customer list: a CSV, XLSX or ODS file.")] = None,
    no_input: Annotated[bool, typer.Option("--yes", "--no-input", help="Ask nothing; take the defaults.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a new shop's folder: config, campaigns, templates. It begins with a rehearsal."""
    given = {key: value for key, value in locals().items() if key in _ASKED and value is not None}
    _make(folder, given, interactive=not no_input, as_json=as_json)


def _make(folder: Path, given: dict[str, object], *, interactive: bool, as_json: bool) -> None:
    """Ask, lay the folder out, and tell what it may do today."""
    from engine.cli import starter
    from engine.cli.asking import ask
    from engine.cli.truth import adopt
    from engine.language import LANGUAGES, Language

    language = str(given["language"])
    if language not in LANGUAGES:
        raise UsageError(f'--language "{language}" is not spoken here.', f"Allowed: {', '.join(LANGUAGES)}.")
    starter.require_empty(folder)
    _ = Language(language).gettext
    answers = ask(given, _, interactive=interactive)
    made = starter.lay_out(folder, answers, _)
    if answers.customers:
        adopt(folder / "config.toml", Path(answers.customers), _, err=as_json)
    if as_json:
        print_json({"folder": folder, "files": [str(path) for path in made]})
        return
    say()
    if not answers.has_notice:
        _print_notice(answers.email, _)
    _tell_the_truth(folder, answers, _)


def _print_notice(email: str, _: Translate) -> None:
    """Print the sentence that makes every new order count, ready for the order form; config.toml has it too."""
    from engine.cli.starter import hint

    say(_("Put this sentence beside the e-mail field on your order form; once it is printed, every new order counts:"))
    say(f"\n  „{hint(email, _)}“\n")
    say("  treuepost wording print auftragsschein\n")


def _tell_the_truth(folder: Path, answers: Answers, _: Translate) -> None:
    """Pull the customer list where it is there, say who may be written to, and what to do next."""
    from engine.cli.truth import tell

    say(_("Done. Nothing leaves yet (rehearsal)."))
    tell(folder / "config.toml")
    say()
    say(_("Next:"))
    say(f"  cd {folder}")
    if not answers.customers:
        say("  treuepost import customers FILE")
    say("  " + _("read campaigns/*.toml and switch on what you like: enabled = true"))
    say("  treuepost check\n  treuepost plan --days 7\n  treuepost run")
