"""What only the whole config shows: a real provider needs a sender, an address of its own, no placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit

from engine.config.notices import check_notices
from engine.config.providers import PROVIDERS
from engine.config.sections import LOOPBACK, Config, ProviderSection
from engine.domain.grammar import Span
from engine.domain.readiness import form_lacks
from engine.domain.requests import LONGEST
from engine.domain.wordings import names_firm, says_how_to_withdraw
from engine.errors import Finding
from engine.toml.faults import Say
from engine.toml.source import TomlSource

EXAMPLE = re.compile(
    r"(?i)CHANGE_?ME|BITTE[_ ]ÄNDERN|[@./]example\.(?:com|org|net)\b|\.example\b|Musterstra(?:ß|ss)e|Mustermann"
)
"""What nobody's own name or address looks like."""
_TYPED = re.compile(r"[ -~]+")
"""What a header (RFC 9110 § 5.5) and a login can hold; a password may have spaces in it."""


def check_config(config: Config, source: TomlSource, say: Say) -> list[Finding]:
    """Return what is wrong or doubtful about a config whose values are all right one by one."""
    return [
        *check_notices(config, source, say),
        *_placeholders(config, source, say),
        *_provider(config, source, say),
        *_store(config, source, say),
        *_wordings(config, source, say),
        *_privacy(config, source, say),
        *_imprint(config, source, say),
    ]


def _placeholders(config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse the example's values once real people would read them; while rehearsing they only deserve a word."""
    real = not config.rehearsal and not config.provider.on_loopback
    for loc, value in examples(config).items():
        if real or "CHANGE" in value.upper():
            message = say("`%(key)s` still holds the example's value", key=".".join(loc))
            remedy = say("put your own in before anybody is written to")
            yield source.finding("E110", message, loc, help=remedy, level="error" if real else "warning")


def examples(config: Config) -> dict[tuple[str, str], str]:
    """Return the places that still hold a value of the example, with it."""
    values = {
        ("shop", "name"): config.shop.name,
        ("shop", "address"): config.shop.address,
        ("shop", "email"): config.shop.email,
        ("provider", "from"): config.provider.sender,
        ("provider", "reply_to"): config.provider.reply_to,
        ("web", "public_url"): config.web.public_url,
        ("owner", "email"): config.owner.email,
    }
    return {loc: value for loc, value in values.items() if EXAMPLE.search(value)}


def _provider(config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Say what the chosen provider still needs."""
    provider, needs = config.provider, PROVIDERS[config.provider.use]
    if not config.rehearsal and not provider.sender:
        message = say('provider "%(name)s" needs a sender', name=provider.use)
        yield source.finding("E102", message, ("provider",), key=True, help='from = "Name <post@…>"')
    if needs.server and not provider.base_url:
        message = say('provider "%(name)s" needs its server', name=provider.use)
        yield source.finding("E102", message, ("provider",), key=True, help='base_url = "smtp://user@smtp.…:587"')
    yield from _key(config, source, say)
    if provider.stream and not config.rehearsal and provider.use != "postmark":
        yield source.finding("E105", say("`provider.stream` is for Postmark only"), ("provider", "stream"))
    if not config.rehearsal and provider.batch is not None and provider.batch > needs.most:
        words = {"name": provider.use, "most": needs.most}
        message = say("`provider.batch`: %(name)s takes %(most)s at most", **words)
        yield source.finding("E105", message, ("provider", "batch"))
    if provider.base_url:
        yield from _base_url(provider, source, say)


def _key(config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse a key that is missing, or that no header and no login can hold.

    It is never shown, nor is the sign that is wrong in it.
    """
    provider = config.provider
    if PROVIDERS[provider.use].key and provider.api_key is None:
        message = say('provider "%(name)s" needs a key', name=provider.use)
        remedy = say("put it into a file only you can read (api_key_file = …), or into TREUEPOST_PROVIDER__API_KEY")
        yield source.finding("E102", message, ("provider",), key=True, help=remedy)
    if not config.rehearsal and provider.secret and not _TYPED.fullmatch(provider.secret):
        named = bool(provider.api_key_file)
        message = say("the key cannot be right: it holds a sign that is not plain ASCII, or a line break")
        remedy = say("copy it again, in one line; a password with umlauts has to be changed at the provider")
        loc = ("provider", "api_key_file") if named else ("provider",)
        yield source.finding("E105", message, loc, key=not named, help=remedy)


def _base_url(provider: ProviderSection, source: TomlSource, say: Say) -> Iterator[Finding]:
    parts, loc = urlsplit(provider.base_url), ("provider", "base_url")
    allowed = PROVIDERS[provider.use].schemes
    if parts.scheme not in allowed or not parts.hostname:
        words = ", ".join(f"{word}://" for word in allowed)
        yield source.finding("E105", say("`%(key)s`: must begin with %(words)s", key=".".join(loc), words=words), loc)
    elif parts.scheme == "http" and parts.hostname not in LOOPBACK:
        message = say("`%(key)s`: the key would travel unencrypted; write https://", key=".".join(loc))
        yield source.finding("E105", message, loc)
    if parts.password:
        yield _secret(source, loc, say)


def _store(config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    written = source.data.get("store")
    if isinstance(written, dict) and urlsplit(str(written.get("url", ""))).password:
        yield _secret(source, ("store", "url"), say)
    file = config.store.file
    if file is not None and not file.parent.is_dir():
        message = say("the folder %(folder)s does not exist", folder=file.parent)
        yield source.finding("E113", message, ("store", "url"))


def _secret(source: TomlSource, loc: tuple[str, str], say: Say) -> Finding:
    message = say("a secret must not stand in the config file: it ends up in backups and in git")
    name = f"TREUEPOST_{loc[0]}__{loc[1]}".upper()
    return source.finding("E111", message, loc, help=say("put the whole value into %(name)s", name=name))


def _wordings(config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    for name, wording in config.wording.items():
        if not (config.home / wording.file).is_file():
            message = say("there is no file %(file)s", file=wording.file)
            yield source.finding("E113", message, ("wording", name, "file"), level="warning")
        else:
            yield from _wording(config, name, source, say)


def _wording(config: Config, name: str, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Warn of a text nobody can validly agree to: it has to name who writes, about what, and the way out."""
    wording, loc = config.wording[name], ("wording", name)
    if not wording.product_scope.strip():
        message = say("`product_scope` is missing: about what do these mails write?")
        remedy = say('for example product_scope = "heating, bathrooms, repairs"; until then nobody can sign up')
        yield source.finding("L501", message, loc, key=True, help=remedy, level="warning")
    try:
        text = (config.home / wording.file).read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        message = say("%(file)s cannot be read: %(why)s", file=wording.file, why=error.strerror or error)
        yield source.finding("E113", message, (*loc, "file"), level="warning")
        return
    if not names_firm(text, config.shop.name):
        message = say("the text does not say who will write: %(firm)s is not named in it", firm=config.shop.name)
        yield source.finding("L502", message, (*loc, "file"), level="warning")
    if not says_how_to_withdraw(text):
        message = say("the text does not say how to stop it")
        remedy = say('for example "I can stop this at any time, by the link in every e-mail or by a short note"')
        yield source.finding("L503", message, (*loc, "file"), help=remedy, level="warning")


def _privacy(config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Refuse links and requests that live longer than two weeks."""
    day = date(2000, 1, 1)
    for key in ("confirm_within", "requests"):
        span: Span = getattr(config.privacy, key)
        if (span.hours if span.is_hours else span.after(day) - day) > LONGEST:
            message = say("`privacy.%(key)s`: two weeks at most", key=key)
            yield source.finding("E105", message, ("privacy", key), help=f'{key} = "14 days"')


def _imprint(config: Config, source: TomlSource, say: Say) -> Iterator[Finding]:
    """Warn of what the law wants below every mail and the shop has not said (§ 5 DDG, § 35a GmbHG)."""
    shop = config.shop
    lacking = form_lacks(shop.legal_form, represented_by=shop.represented_by, register_entry=shop.register_entry)
    for key in (["email"] if not shop.email else []) + lacking:
        message = say("`%(key)s` is missing: the law wants it below every mail", key=f"shop.{key}")
        yield source.finding("L401", message, ("shop",), key=True, level="warning")
