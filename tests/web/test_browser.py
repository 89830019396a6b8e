"""The pages in a real browser: light and dark, on a telephone and a desk, usable by everybody (axe, WCAG 2.2 AA).

With TREUEPOST_PICTURES set, what is seen is kept in docs/pages/.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from engine.domain.limits import Rate
from engine.web.limiting import RATES, Limits
from tests.conftest import MakeApp
from tests.providers.conftest import Served
from tests.steps.sending_shop import BIRTHDAY, add_birthdays, real_config, tick
from tests.web.test_signing_up import pending
from tests.web.visiting import Asked, pages_of, served, token_of

if TYPE_CHECKING:
    from engine.app import App

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
PICTURES = Path(__file__).parents[2] / "docs" / "pages"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
WORDING = """Ja, Radhaus Sommer darf mir per E-Mail Neues und Angebote rund um Fahrräder und Zubehör schicken.
Ich kann das jederzeit für die Zukunft beenden, zum Beispiel über den Link in jeder E-Mail oder formlos an
laden@radhaus-sommer.example.com.
"""
PAGES = {
    "unsubscribe": "/u/{token}", "choices": "/p/{token}", "sign-up": "/anmelden/newsletter-2015", "confirm": "/c/t",
    "confirmed": "/c/used", "my-data": "/meine-daten", "open-data": "/d/t", "unknown": "/u/unknown",
}  # fmt: skip
LOOKS = [(320, "light"), (1280, "light"), (320, "dark"), (1280, "dark")]
pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no {CHROMIUM}: the pages were not looked at"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def shop(make_app: MakeApp, brevo: Served) -> App:
    title = 'title = "Neues aus der Werkstatt"\nkinds = ["newsletter", "birthday", "winback", "coupon", "thank_you"]\n'
    first, _, rest = real_config(brevo).partition('kinds = ["newsletter"')
    config = first + title + rest.partition("\n")[2]
    extra = '\n[wording.wartung]\nfile = "wording.txt"\nkinds = ["service_reminder"]\nproduct_scope = "Wartung"\n'
    app = make_app(config=config, extra=extra, campaigns={"birthday": BIRTHDAY})
    (app.home / "wording.txt").write_text(WORDING, encoding="utf-8")
    add_birthdays(app, len(LOOKS))
    tick(app)
    return app


@pytest.fixture
def url(shop: App) -> Iterator[str]:
    limits = Limits({name: Rate(10**9, rate.per) for name, rate in RATES.items()})
    known = {"t": pending(text=WORDING), "used": pending(used=True)}
    with served(pages_of(shop, Asked(known), limits)) as client:
        yield str(client.base_url).rstrip("/")


def faults(page: Any) -> list[str]:
    """Return what axe has against a page."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_can_be_read_and_used_by_everybody(
    shop: App, url: str, browser: Browser, width: int, scheme: Any
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, locale="de-DE", bypass_csp=True
    )
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    for name, path in PAGES.items():
        page.goto(url + path.format(token=token_of(shop)))
        assert faults(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert min(_heights(page), default=44) >= 44, name
        _picture(page, name, width, scheme)
    assert said == []
    context.close()


def test_without_script_and_cookies_a_person_unsubscribes_by_keyboard(shop: App, url: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 700}, java_script_enabled=False, locale="de-DE")
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda line: refused.append(line.text) if line.type == "error" else None)
    page.goto(f"{url}/u/{token_of(shop)}")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Erledigt")
    assert context.cookies() == []
    assert [line for line in refused if "favicon" not in line] == []
    context.close()


def test_the_topics_are_chosen_and_the_answer_is_as_good(shop: App, url: str, browser: Browser) -> None:
    for place, (width, scheme) in enumerate(LOOKS):
        token = token_of(shop, place)
        view: Any = {"width": width, "height": 800}
        context = browser.new_context(viewport=view, color_scheme=scheme, locale="de-DE", bypass_csp=True)
        page = context.new_page()
        page.goto(f"{url}/p/{token}")
        page.check("input[value='3'][name=pause]")
        page.click("button[type=submit] >> nth=0")
        page.wait_for_selector("[role=status]")
        assert faults(page) == []
        _picture(page, "chosen", width, scheme)
        page.goto(f"{url}/u/{token}")
        page.click("button")
        page.wait_for_selector("h1:has-text('Erledigt'), h1:has-text('Done')")
        assert faults(page) == []
        _picture(page, "unsubscribed", width, scheme)
        context.close()


def _heights(page: Any) -> list[float]:
    """Return how tall everything is that a thumb must hit."""
    targets = page.locator("button, .choice, input[type=email]").all()
    return [box["height"] for one in targets if (box := one.bounding_box())]


def _picture(page: Any, name: str, width: int, scheme: str) -> None:
    if os.environ.get("TREUEPOST_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=str(PICTURES / f"{name}-{width}-{scheme}.png"), full_page=True)
