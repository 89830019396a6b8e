"""Whether a real mail may leave at all (law P1): what the shop lacks for it, where, and how to mend it.

Until nothing is lacking, every mail through a real provider waits as `not_ready`. A rehearsal mails nobody, and neither
does a provider on this machine: both need nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from engine.config.checks import examples
from engine.config.loading import Config
from engine.config.providers import PROVIDERS
from engine.domain.calendar import local_day
from engine.domain.readiness import Lack, Standing, lacking
from engine.errors import ConfigError, Invalid
from engine.keys import Keyring
from engine.language import Language
from engine.steps.shop import Premises
from engine.store import imports, installation, schema, suppressions
from engine.store.database import Database
from engine.toml.source import TomlSource, shown_path


@dataclass(frozen=True, slots=True)
class Told:
    """One lack as the owner reads it: where it is, what is wrong, and how to mend it."""

    place: str
    text: str
    remedy: str

    @property
    def line(self) -> str:
        """Return it in one line."""
        return f"{self.place}: {self.text} → {self.remedy}"


def exempt(config: Config) -> bool:
    """Say whether nobody can be mailed anyway: while rehearsing, and with a provider's double on this machine."""
    return config.rehearsal or config.provider.on_loopback


def lacks(session: Session, shop: Premises, now: datetime) -> tuple[Lack, ...]:
    """Return what keeps the shop from sending."""
    if exempt(shop.config):
        return ()
    standing = standing_of(
        shop.config,
        keys_hold=suppressions.keys_hold(session, shop.keyring),
        list_unread=list_unread(session, shop.config.provider.use),
    )
    return lacking(standing, local_day(now, shop.config.shop.zone))


def look(shop: Premises, now: datetime) -> tuple[Lack, ...]:
    """Return what keeps the shop from sending, in a transaction of its own."""
    if exempt(shop.config):
        return ()
    with shop.database.read() as session:
        return lacks(session, shop, now)


def require(shop: Premises, now: datetime) -> None:
    """Refuse to hand anything to a real provider while something is lacking."""
    found = look(shop, now)
    if found:
        say = Language(shop.config.shop.language).gettext
        raise ConfigError(
            say("Nothing may leave through %(name)s yet.", name=shop.config.provider.use),
            "\n".join(one.line for one in told(shop.config, found)),
        )


def list_unread(session: Session, provider: str) -> bool:
    """Say whether a provider keeps a list of blocked addresses that was never read whole."""
    return PROVIDERS[provider].blocks and imports.last(session, source_name(provider), good=True) is None


def source_name(provider: str) -> str:
    """Return the name under which the runs of `suppress pull` are noted; no [source.NAME] can be called that."""
    return f"provider:{provider}"


def standing_of(config: Config, *, keys_hold: bool, list_unread: bool) -> Standing:
    """Return what is looked at."""
    shop, provider = config.shop, config.provider
    return Standing(
        name=shop.name,
        address=shop.address,
        legal_form=shop.legal_form,
        represented_by=shop.represented_by,
        register_entry=shop.register_entry,
        email=shop.email,
        phone=shop.phone,
        url=shop.url,
        privacy=shop.privacy,
        public_url=config.web.public_url,
        sender=provider.sender,
        dpa_signed_at=provider.dpa_signed_at,
        country=provider.country,
        transfer=provider.transfer,
        keys_hold=keys_hold,
        examples=tuple(".".join(loc) for loc in examples(config)),
        list_unread=list_unread,
    )


def standing_in(config: Config, database: Database, keys: Path) -> Standing:
    """Return what is looked at, where nobody has opened the store yet: for `doctor`, which changes nothing."""
    use = config.provider.use
    if schema.present(database) != schema.known():
        return standing_of(config, keys_hold=True, list_unread=PROVIDERS[use].blocks)
    with database.read() as session:
        here = installation.find(session)
        sealed = here is not None and bool(here.canary)
        hold = not sealed or (keys.exists() and suppressions.keys_hold(session, Keyring.load_or_create(keys)))
        return standing_of(config, keys_hold=hold, list_unread=list_unread(session, use))


def told(config: Config, found: tuple[Lack, ...]) -> list[Told]:
    """Return each lack with its place in the config file, in the shop's language."""
    say = Language(config.shop.language).gettext
    return [Told(place, say(lack.text), say(lack.remedy)) for lack, place in _placed(config, found)]


def _placed(config: Config, found: tuple[Lack, ...]) -> Iterator[tuple[Lack, str]]:
    """Yield each lack with `config.toml:12: shop.phone`: the key's line, or its table's where the key is missing."""
    try:
        source = TomlSource.read(config.file)
    except Invalid:  # it was readable when the program started; the line is a courtesy
        source = None
    for lack in found:
        loc = tuple(lack.key.split("."))
        if source is None or loc[0] not in type(config).model_fields:
            yield lack, lack.key
        else:
            yield lack, f"{shown_path(config.file)}:{source.position(loc, key=True)[0]}: {lack.key}"
