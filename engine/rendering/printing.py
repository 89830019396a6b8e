"""What the owner prints: the sentence for the order form, the slip to sign, the hint (law.md W1, W6), and a poster.

Nothing on them is ticked beforehand, nothing is promised for a tick, and each slip names the version of its text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.config.loading import Config
from engine.language import Language
from engine.rendering.replies import sign_up_url

BLANK = "_" * 40
TICK = "☐"


@dataclass(frozen=True, slots=True)
class Text:
    """One text to be agreed to: its ID, its words, the heading above it, and the version it is kept as."""

    name: str
    text: str
    heading: str = ""
    version: str = ""
    language: str = "de"
    about: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One printed thing: as a page for the printer, and as text to copy."""

    title: str
    html: str
    text: str


def slip(config: Config, text: Text) -> Sheet:
    """Return the order form's sentence and the slip to sign, for one wording."""
    say = Language(text.language).gettext
    title = say("Consent to e-mails")
    page = _page(
        config, "slip.html", text.language, title=title, hint="", sentences=[text], slips=[_headed(text, title)]
    )
    plain = _slip_text(config, text, title)
    return Sheet(title, page, f"{TICK} {text.text}\n\n{say(_LABELS['email'])}: {BLANK}\n\n---\n\n{plain}")


def order_form(config: Config, hint: str, texts: list[Text]) -> Sheet:
    """Return everything that belongs on an order form: the hint beside the e-mail field, and a box for each wording."""
    language = config.shop.language
    say = Language(language).gettext
    title = say("For your order form")
    page = _page(config, "slip.html", language, title=title, hint=hint, sentences=texts, slips=[])
    boxes = "".join(f"\n{TICK} {text.text}\n" for text in texts)
    return Sheet(title, page, f"{say(_LABELS['email'])}: {BLANK}\n{hint}\n{boxes}")


def notice(config: Config, hint: str) -> Sheet:
    """Return the hint beside the e-mail field."""
    title = Language(config.shop.language).gettext("Hint at the e-mail field")
    return Sheet(title, _page(config, "notice.html", config.shop.language, title=title, hint=hint), f"{hint}\n")


def poster(config: Config, text: Text) -> Sheet:
    """Return a poster with a code that leads to the sign-up page."""
    say = Language(text.language).gettext
    url = sign_up_url(config, text.name)
    title = say("News from us by e-mail")
    page = _page(
        config,
        "poster.html",
        text.language,
        title=title,
        firm=config.shop.name,
        about=text.about,
        url=url,
        code=_code(url, say("Code for %(url)s", url=url)),
    )
    return Sheet(title, page, f"{config.shop.name}: {title} ({text.about})\n{url}\n")


def suggestion(config: Config, about: str) -> Sheet:
    """Return a text to begin with (law.md W1 to W4), for the owner to keep as a file and name in the config."""
    say = Language(config.shop.language).gettext
    contact = config.shop.email or config.shop.phone or config.shop.name
    text = say(_SUGGESTIONS[about], firm=config.shop.name, contact=contact)
    how = say("Save the text as a file and describe it in [wording.ID]; then it can be printed with its slip.")
    title = say("A text to begin with")
    page = _page(config, "slip.html", config.shop.language, title=title, hint="", sentences=[Text("", text)], slips=[])
    return Sheet(title, page, f"{text}\n\n{how}\n")


_SUGGESTIONS = {
    "newsletter": "Yes, %(firm)s may e-mail me news and offers about its goods and services. I can stop this at any "
    "time for the future, for example by the link in every e-mail or by a short note to %(contact)s.",
    "birthday": "Yes, %(firm)s may use my birthday (day, month) to e-mail me a greeting with an offer. I can stop this "
    "at any time for the future, for example by the link in every e-mail or by a short note to %(contact)s.",
    "service": "Yes, %(firm)s may remind me by e-mail when a service falls due and offer me an appointment. I can stop "
    "this at any time for the future, for example by the link in every e-mail or by a short note to %(contact)s.",
    "feedback": "Yes, %(firm)s may ask me for my opinion by e-mail after a purchase (3 to 5 questions). I can stop "
    "this at any time for the future, for example by the link in every e-mail or by a short note to %(contact)s.",
}


def standard_hint(config: Config) -> str:
    """Return the hint for shops that have none of their own yet (law.md W6)."""
    say = Language(config.shop.language).gettext
    contact = config.shop.email or config.shop.phone or config.shop.name
    du = config.shop.address_form == "du"
    return say(_HINT_INFORMAL if du else _HINT, contact=contact)


_HINT = (
    "We also use your e-mail address to recommend our own similar goods or services and to ask how satisfied you are. "
    "You may object at any time – here ☐ or later at %(contact)s – at no cost beyond basic transmission rates."
)
_HINT_INFORMAL = (
    "We also use your e-mail address to recommend our own similar goods or services and to ask how happy you are. "
    "You may object at any time – here ☐ or later at %(contact)s – at no cost beyond basic transmission rates."
)


_LABELS = {
    "nothing_ticked": "For printing. Nothing is ticked beforehand, and nothing depends on it: whoever leaves the box "
    "empty gets the same service.",
    "hint": "Hint, right beside the e-mail field",
    "sentence": "Sentence for your order form",
    "email": "E-mail",
    "capitals": "E-mail, in capital letters",
    "cut": "cut here",
    "name": "Name",
    "form": "Form no.",
    "date": "Place, date",
    "signature": "Signature",
    "then": "We then send one e-mail with a link. Only when you open it and confirm does your consent count.",
    "privacy": "Privacy notice",
    "beside": "It belongs right beside the e-mail field of the order form, the checkout or the website; a link to the "
    "privacy notice is not enough. It counts for orders from the day on which it stands there: put that day into "
    "shown_from.",
    "scan": "Scan the code with your phone",
    "enter": "Enter your e-mail address",
    "confirm": "Confirm by the link in our e-mail",
    "free": "Free of charge, and you can stop it at any time.",
}
"""What is printed beside and below the texts."""


def _slip_text(config: Config, text: Text, title: str) -> str:
    say = Language(text.language).gettext
    fields = [say(_LABELS[name]) for name in ("email", "name", "form", "date", "signature")]
    headed = _headed(text, title)
    lines = [
        headed.heading,
        "",
        f"{TICK} {text.text}",
        "",
        *(f"{field}: {BLANK}" for field in fields),
        "",
        _controller(config),
        headed.version,
    ]
    return "\n".join(lines) + "\n"


def _headed(text: Text, title: str) -> Text:
    say = Language(text.language).gettext
    version = say("Text %(name)s, version %(version)s", name=text.name, version=text.version[:12])
    return replace(text, heading=f"{title}: {text.heading}" if text.heading else title, version=version)


def _page(config: Config, template: str, language: str, **known: object) -> str:
    say = Language(language).gettext
    shared = {
        "language": language,
        "controller": _controller(config),
        "privacy": config.shop.privacy.removeprefix("https://"),
        "labels": {name: say(label) for name, label in _LABELS.items()},
    }
    return _environment().get_template(template).render(shared | known)


def _controller(config: Config) -> str:
    return " · ".join([config.shop.name, *(line.strip() for line in config.shop.address.strip().splitlines())])


def _code(url: str, title: str) -> Markup:
    """Return the code as SVG within the page; it survives a thumb on it (error correction M)."""
    drawn = BytesIO()
    segno.make(url, error="m", micro=False).save(
        drawn, kind="svg", border=2, xmldecl=False, svgclass=None, lineclass=None, omitsize=True, title=title
    )
    return Markup(drawn.getvalue().decode())  # noqa: S704  (drawn by segno, which escapes the title)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    folder = FileSystemLoader(Path(__file__).parent / "print")
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
