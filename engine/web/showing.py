"""Shows a page: in the visitor's language, with the shop's name above it and the law's lines below, and no script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from engine.config.loading import Config
from engine.config.sections import Shop
from engine.domain.calendar import local_day
from engine.language import LANGUAGES, Language
from engine.rendering.filters import format_day
from engine.rendering.footer import Footer
from engine.steps.consent.asking import Visitor
from engine.web.limiting import cut

_PAGES = Path(__file__).parent / "pages"
STYLE = (_PAGES / "style.css").read_text(encoding="utf-8")
_STYLE_MARK = sha256(STYLE.encode()).hexdigest()[:12]
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_LONGEST_AGENT = 300


@dataclass(frozen=True, slots=True)
class Showing:
    """Everything a page is made from besides its own matter."""

    config: Callable[[], Config]

    def page(self, request: Request, name: str, status: int = 200, /, *, language: str = "", **matter: Any) -> Response:
        """Return one page; `language` is the customer's where the page knows one."""
        return HTMLResponse(self.text(request, name, language=language, **matter), status)

    def text(self, request: Request, name: str, /, *, language: str = "", **matter: Any) -> str:
        """Return a page's HTML."""
        config = self.config()
        spoken = spoken_by(request, config, language)
        say = Language(spoken).gettext
        shown = {
            "_": say,
            "day": lambda at: format_day(local_day(at, config.shop.zone), "long", spoken),
            "language": spoken,
            "shop": config.shop,
            "imprint": _imprint(config.shop, spoken),
            "style": _STYLE_MARK,
            "fault": "",
        }
        return _ENVIRONMENT.get_template(f"{name}.html").render(shown | matter)

    def refuse(self, request: Request, status: int, wait: int = 0) -> Response:
        """Return what whoever cannot be served is told: it never says what was known of the link or the address."""
        headers = {"retry-after": str(wait)} if wait else {}
        if request.url.path.startswith(("/api/", "/webhooks/")):
            return JSONResponse({"error": _IN_SHORT.get(status, "refused")}, status, headers)
        page = "unknown" if status in {404, 405} else "refused"
        response = self.page(request, page, status, code=status)
        response.headers.update(headers)
        return response


_IN_SHORT = {
    400: "unreadable",
    401: "not proved",
    404: "not found",
    405: "method not allowed",
    408: "too slow",
    413: "too large",
    421: "wrong host",
    422: "invalid",
    429: "too many requests",
    500: "internal error",
    503: "busy",
}


def spoken_by(request: Request, config: Config, customer: str = "") -> str:
    """Return the language to answer in: the customer's, else the browser's, else the shop's."""
    if customer in LANGUAGES:
        return customer
    wanted = [_preference(part) for part in request.headers.get("accept-language", "")[:200].split(",")]
    ranked = sorted((one for one in wanted if one[1] in LANGUAGES), key=lambda one: -one[0])
    return ranked[0][1] if ranked else config.shop.language


def _preference(part: str) -> tuple[float, str]:
    name, _, weight = part.strip().lower().partition(";q=")
    try:
        rank = float(weight or 1)
    except ValueError:
        rank = 0.0
    return (rank if 0 < rank <= 1 else 0.0), name.partition("-")[0] if rank > 0 else ""


def visitor_at(request: Request, config: Config, language: str = "") -> Visitor:
    """Return who asks, as far as the shop wants to keep it."""
    host = str(request.state.visitor)
    network = {"full": host, "truncated": cut(host), "none": ""}[config.privacy.network]
    agent = request.headers.get("user-agent", "")[:_LONGEST_AGENT]
    agent = "".join(sign if sign.isprintable() else " " for sign in agent)
    return Visitor(network, agent, language or spoken_by(request, config))


@lru_cache(maxsize=8)
def _imprint(shop: Shop, language: str) -> dict[str, object]:
    return Footer(shop, "newsletter", language).constants()


def months_later(now: datetime, months: int) -> datetime:
    """Return the same day and hour so many months on, or the last day of a shorter month."""
    year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
    for day in range(now.day, now.day - 4, -1):
        try:
            return now.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return now
