"""A small shop folder with one campaign in it, and the renderer that reads it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from engine.campaigns.loading import load_campaigns
from engine.campaigns.model import Campaign
from engine.config.loading import Config, load_config
from engine.rendering import samples
from engine.rendering.context import MailContext
from engine.rendering.renderer import Rendered, Renderer
from tests.conftest import SHOP

TEMPLATES = Path(__file__).parents[2] / "templates"
CONFIG = (
    SHOP
    + """{shop}
[provider]
use = "outbox"
from = "Radhaus Sommer <post@radhaus-sommer.example.com>"
reply_to = "laden@radhaus-sommer.example.com"
[web]
public_url = "https://mail.radhaus-sommer.example.com"
"""
)
HEAD = {
    "birthday": 'kind = "birthday"\n[trigger]\non = "birthday"\nwhen = "on the day"\n',
    "purchase": 'kind = "thank_you"\n[trigger]\non = "purchase"\nwhen = "2 days after"\n',
    "service_due": 'kind = "{kind}"\n[trigger]\non = "service_due"\ncontract = "any"\n',
    "lapsed": 'kind = "winback"\n[trigger]\non = "lapsed"\nafter = "90 days"\nmin_purchases = 1\n',
}


FIRST_LINE = 11
"""Where a birthday campaign's body begins."""


@dataclass(frozen=True, slots=True)
class Premises:
    """One shop, one campaign, one renderer."""

    config: Config
    campaign: Campaign
    renderer: Renderer

    def render(self, context: MailContext | None = None, language: str = "de") -> Rendered:
        """Render the campaign's first mail."""
        known = context or samples.full(self.campaign.trigger.on, language)
        return self.renderer.render(self.campaign, self.campaign.steps[0], known, language)


def letter(message: str, trigger: str = "birthday", kind: str = "service_reminder") -> str:
    """Return a campaign file with this [message] table."""
    return f'id = "one"\nname = "One"\n{HEAD[trigger].replace("{kind}", kind)}\n[message]\n{message}'


def body(text: str, subject: str = "Hallo") -> str:
    """Return a [message] table with this body; the body begins on the line after `body`."""
    return f'subject = "{subject}"\nbody = """\n{text}\n"""\n'


def open_shop(home: Path, campaign: str, *, shop: str = "", templates: dict[str, str] | None = None) -> Premises:
    """Lay the folder out and load everything in it."""
    home.mkdir(exist_ok=True)
    (home / "campaigns").mkdir(exist_ok=True)
    shutil.copytree(TEMPLATES, home / "templates", dirs_exist_ok=True)
    for name, text in (templates or {}).items():
        path = home / "templates" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (home / "config.toml").write_text(CONFIG.format(shop=shop), encoding="utf-8")
    (home / "campaigns" / "one.toml").write_text(campaign, encoding="utf-8")
    config = load_config(home / "config.toml", {})
    campaigns = load_campaigns(home / "campaigns", config)
    return Premises(config, campaigns[0], Renderer(config, home / "templates", campaigns))
