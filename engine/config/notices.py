"""What is wrong with the hints of § 7(3) UWG that a config registers: their text, their proof, and who shows them."""

from __future__ import annotations

from collections.abc import Iterator

from engine.config.sections import Config, Notice
from engine.errors import Finding
from engine.toml.faults import Say
from engine.toml.source import TomlSource


def check_notices(config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Yield what keeps a notice from counting, and what makes it no notice at all."""
    for name, notice in config.notice.items():
        yield from _text(config, name, source, say)
        yield from _declaration(config, name, source, say)
        yield from _days(name, notice, source, say)
    for name in config.source:
        yield from _shown_by(config, name, source, say)


def _text(config: Config, name: str, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse a text that does not say where an objection goes: it is no hint (LG Paderborn 2 O 325/23)."""
    notice = config.notice[name]
    try:
        text = (config.home / notice.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        message = say("there is no file %(file)s", file=notice.file)
        yield source.finding("E113", message, ("notice", name, "file"), level="warning")
        return
    if _plain(notice.contact) not in _plain(text):
        message = say(
            'the text of the notice does not say where an objection goes: "%(contact)s"', contact=notice.contact
        )
        remedy = say("without it the hint is none before the law (LG Paderborn 2 O 325/23); put it into the text")
        yield source.finding("L207", message, ("notice", name, "contact"), help=remedy)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _declaration(config: Config, name: str, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Warn of a notice nobody vouches for: it stands in the config and opens no door."""
    notice = config.notice[name]
    lacking = [key for key in ("shown_from", "declared_by", "proof") if not getattr(notice, key)]
    if lacking:
        words = ", ".join(f"`{key}`" for key in lacking)
        message = say("the notice does not count yet, for want of: %(keys)s", keys=words)
        remedy = say("who says by name since when it is shown, and a scan or photo of it in use")
        yield source.finding("L208", message, ("notice", name), key=True, help=remedy, level="warning")
    elif not (config.home / notice.proof).is_file():
        message = say("there is no file %(file)s", file=notice.proof)
        yield source.finding("E113", message, ("notice", name, "proof"), level="warning")


def _days(name: str, notice: Notice, source: TomlSource, say: Say) -> Iterator[Finding]:
    first, last = notice.shown_from, notice.shown_until
    if first is not None and last is not None and last < first:
        message = say("`shown_until` lies before `shown_from`")
        yield source.finding("E109", message, ("notice", name, "shown_until"))


def _shown_by(config: Config, name: str, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse a source that declares a notice nobody has described, or that has no purchases to carry it."""
    taken, loc = config.source[name], ("source", name, "notice")
    if not taken.notice:
        return
    if taken.notice not in config.notice:
        message = say('there is no notice "%(name)s"', name=taken.notice)
        known = ", ".join(config.notice) or "–"
        yield source.finding("E103", message, loc, help=say("allowed: %(words)s", words=known))
    if taken.what != "purchases":
        yield source.finding("E109", say("only purchases carry a notice"), loc)
