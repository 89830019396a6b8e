"""`treuepost wording print`: the texts people agree to and the hints they are given, ready for paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.opening import read_config, spoken
from engine.cli.output import print_json, say
from engine.errors import ConfigError, NothingFound, StoreError, UsageError

if TYPE_CHECKING:
    from engine.config.loading import Config
    from engine.rendering.printing import Sheet, Text

POSTER = ("poster", "aushang")
ORDER_FORM = ("order-form", "auftragsschein")
_LIKELY = {
    "geburtstag": "birthday",
    "birthday": "birthday",
    "wartung": "service",
    "service": "service",
    "meinung": "feedback",
    "feedback": "feedback",
    "newsletter": "newsletter",
}
"""Texts to begin with, where the config has none under this name yet."""


def register(app: typer.Typer) -> None:
    """Add `wording print`."""
    noun = typer.Typer(help="Texts people agree to, and hints.", no_args_is_help=True, rich_markup_mode=None)
    noun.command("print")(print_)
    noun.callback()(lambda: None)  # so that `print` stays a word of its own
    app.add_typer(noun, name="wording")


def print_(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="[wording.ID] or [notice.ID]; or poster, order-form, or a text to begin with: birthday."
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write a page to print (HTML).")] = None,
    wording: Annotated[str, typer.Option("--wording", metavar="ID", help="Which text the poster leads to.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print a text to agree to with its slip, a hint, everything for the order form, or a poster with a code."""
    config = read_config(ctx)
    sheet = _sheet(config, name, wording)
    if out is not None:
        _write(out, sheet.html)
    if as_json:
        print_json({"id": name, "title": sheet.title, "text": sheet.text, "file": out})
    elif out is not None:
        say(spoken(config)("%(file)s is written: open it in a browser and print it.", file=out))
    else:
        say(sheet.text.rstrip("\n"))


def _sheet(config: Config, name: str, wording: str) -> Sheet:
    from engine.rendering import printing

    if name in config.wording:
        return printing.slip(config, _text(config, name))
    if name in config.notice:
        return printing.notice(config, _hint(config, name))
    if name.lower() in POSTER:
        return _poster(config, wording)
    if name.lower() in ORDER_FORM:
        hint = _hint(config, next(iter(config.notice), ""))
        return printing.order_form(config, hint, [_text(config, one) for one in config.wording])
    if name.lower() in _LIKELY:
        return printing.suggestion(config, _LIKELY[name.lower()])
    known = dict.fromkeys([*config.wording, *config.notice, POSTER[0], ORDER_FORM[0], *_LIKELY.values()])
    raise NothingFound(f'There is no text "{name}".', f"There are: {', '.join(known)}.")


def _poster(config: Config, wording: str) -> Sheet:
    from engine.rendering import printing

    if not config.web.public_url:
        raise ConfigError("The poster needs the address of your pages.", 'Set [web] public_url = "https://…".')
    chosen = wording or next(iter(config.wording), "")
    if chosen not in config.wording:
        raise UsageError(
            f'There is no wording "{chosen}" to sign up for.' if chosen else "There is no wording to sign up for.",
            "Describe the text in [wording.ID] (docs/configuration.md).",
        )
    return printing.poster(config, _text(config, chosen))


def _text(config: Config, name: str) -> Text:
    """Return a wording with the version it is kept as; refuse one nobody can agree to."""
    from engine.domain.registers import version
    from engine.rendering.printing import Text
    from engine.steps.consent.registering import content_of

    content = content_of(config, name)
    if content is None:
        raise ConfigError(
            f"Nobody can agree to [wording.{name}]: its text or its product_scope is missing.", "treuepost check"
        )
    wording = config.wording[name]
    return Text(
        name, str(content["text"]), wording.title, version(content)[0], wording.language, wording.product_scope.strip()
    )


def _hint(config: Config, name: str) -> str:
    """Return a hint's text; without one of the shop's own, the usual sentence."""
    from engine.rendering.printing import standard_hint

    if name not in config.notice:
        return standard_hint(config)
    file = config.home / config.notice[name].file
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.", f"See file in [notice.{name}].") from error


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error}.", "Name another file.") from error
