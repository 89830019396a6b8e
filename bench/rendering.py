"""How fast mails are made through the engine's own path, beside bare sandboxed Jinja in the same run.

Two limits, measured alternately with the engine in short turns, medians of many: Jinja's own sandbox given the same
finished templates and plain objects that are ready-made (`bare`), and the engine's own compiled templates given a
ready-made context (`compiled`), which lacks only what a mail cannot do without: its context, greeting and footer, and
the proof that it names its sender and the way out. Target: the engine at least 0.8 of `bare`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.campaigns.loading import load_campaigns
from engine.campaigns.model import Campaign
from engine.clock import stopwatch
from engine.config.loading import Config, load_config
from engine.rendering import samples
from engine.rendering.assembling import shipped_folder
from engine.rendering.context import FIELDS, MailContext, Record
from engine.rendering.filters import filters
from engine.rendering.greeting import greet
from engine.rendering.loading import Letter
from engine.rendering.renderer import Renderer

CONFIG = """
[shop]
name = "Radhaus Sommer"
address = "Lindenallee 4, 80331 München"
phone = "+49 89 1234567"
email = "laden@example.com"
url = "https://example.com"
privacy = "https://example.com/datenschutz"
[provider]
use = "outbox"
from = "Radhaus Sommer <post@example.com>"
"""
PEOPLE = 200
TURNS = 41


def main(options: list[str]) -> None:
    """Measure every shipped campaign and print mails a second and ratios."""
    parser = argparse.ArgumentParser(prog="bench rendering")
    parser.add_argument("--turns", type=int, default=TURNS)
    turns = parser.parse_args(options).turns
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "config.toml"
        file.write_text(CONFIG, encoding="utf-8")
        config = load_config(file, {})
    campaigns = load_campaigns(shipped_folder("campaigns"), config)
    begun = stopwatch()
    renderer = Renderer(config, shipped_folder("templates"), campaigns)
    mails = sum(len(campaign.steps) for campaign in campaigns)
    print(f"loading {mails} mails in two languages: {(stopwatch() - begun) * 1000:.0f} ms")
    print(f"{'campaign':<10} {'engine/s':>9} {'bare/s':>9} {'compiled/s':>10} {'of bare':>8} {'of compiled':>11}")
    for campaign in campaigns:
        print(_measured(config, renderer, campaign, turns))


def _measured(config: Config, renderer: Renderer, campaign: Campaign, turns: int) -> str:
    step = campaign.steps[0]
    letter = renderer._letters[campaign.id, step.id]["de"]  # noqa: SLF001
    people = [_somebody(campaign, number) for number in range(PEOPLE)]
    bare = _bare(config, letter, people)
    compiled = _compiled(renderer, letter, people)

    def engine() -> None:
        for known in people:
            renderer.render(campaign, step, known, "de")

    times: dict[str, list[float]] = {"engine": [], "bare": [], "compiled": []}
    for _ in range(turns):
        for name, run in (("engine", engine), ("bare", bare), ("compiled", compiled)):
            times[name].append(_timed(run))
    rate = {name: PEOPLE / median(spent) for name, spent in times.items()}
    ratios = {
        name: median(limit / own for limit, own in zip(times[name], times["engine"], strict=True)) for name in rate
    }
    return (
        f"{campaign.id:<10} {rate['engine']:>9.0f} {rate['bare']:>9.0f} {rate['compiled']:>10.0f} "
        f"{ratios['bare']:>8.2f} {ratios['compiled']:>11.2f}"
    )


def _timed(run: Callable[[], None]) -> float:
    begun = stopwatch()
    run()
    return stopwatch() - begun


def _somebody(campaign: Campaign, number: int) -> MailContext:
    known = samples.full(campaign.trigger.on, "de")
    return replace(known, customer=replace(known.customer, first_name=f"Anna{number}", last_name=f"Müller{number}"))


def _plain(letter: Letter, known: MailContext) -> dict[str, object]:
    """Return the context as plain objects, as somebody would hand it to bare Jinja."""
    reason, rights = letter.footer.sentences(known.because, "Sie")
    views = ("customer", "occasion", "purchase", "item", "visit", "links")
    named: dict[str, object] = {name: _fields(name, view) for name in views if (view := getattr(known, name))}
    named["customer"] = _fields("customer", replace(known.customer, address_form="Sie"))
    mail = letter.footer.constants() | {"subject": "Betreff", "preview": "Vorschau", "reason": reason, "rights": rights}
    return named | {
        "shop": SimpleNamespace(**letter.shop.values),
        "campaign": SimpleNamespace(**letter.campaign.values),
        "mail": SimpleNamespace(**mail),
        "items": [_fields("item", item) for item in known.items],
        "greeting": greet(known.customer, "Sie", "de"),
        "today": known.today,
    }


def _fields(name: str, view: object) -> SimpleNamespace:
    return SimpleNamespace(**{field: getattr(view, field) for field in FIELDS[name]})


def _bare(config: Config, letter: Letter, people: list[MailContext]) -> Callable[[], None]:
    def environment(*, html: bool) -> ImmutableSandboxedEnvironment:
        made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=html, auto_reload=False)
        made.filters.update(filters("de", config.shop.currency))
        return made

    text, html = environment(html=False), environment(html=True)
    parts = [one for one in (letter.subject, letter.preview, letter.html, letter.text) if one is not None]
    templates: list[Template] = [(html if one.escapes else text).from_string(one.revealed.source) for one in parts]
    contexts = [_plain(letter, known) for known in people]

    def run() -> None:
        for known in contexts:
            for template in templates:
                template.render(known)

    return run


def _compiled(renderer: Renderer, letter: Letter, people: list[MailContext]) -> Callable[[], None]:
    contexts = [renderer._known(known, letter, "Sie") for known in people]  # noqa: SLF001
    for context, known in zip(contexts, people, strict=True):
        reason, rights = letter.footer.sentences(known.because, "Sie")
        words: dict[str, object] = {"subject": "Betreff", "preview": "Vorschau", "reason": reason, "rights": rights}
        context["mail"] = Record("mail", None, words)
    parts = [one.template for one in (letter.subject, letter.preview, letter.html, letter.text) if one is not None]

    def run() -> None:
        for known in contexts:
            for template in parts:
                template.render(known)

    return run
