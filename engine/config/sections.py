"""The tables of config.toml, one model each: frozen, no unknown keys, no guessing of types."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PrivateAttr, SecretStr
from pydantic_core import PydanticCustomError

from engine.config.providers import PROVIDERS, USUAL_BATCH, USUAL_STREAM
from engine.domain.grammar import Span
from engine.domain.permission import KINDS
from engine.fields import FROZEN, CapField, SpanField, Tags, Texts, WaitField, WindowField

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _zone_name(name: str) -> str:
    if name not in available_timezones():
        raise PydanticCustomError("unknown_zone", "unknown time zone", {"word": name})
    return name


def split_mailbox(text: str) -> tuple[str, str]:
    """Return name and address of `Name <address>`; a bare address has no name."""
    name, opened, rest = text.strip().rpartition("<")
    return (name.strip().strip('"'), rest.removesuffix(">")) if opened and rest.endswith(">") else ("", text.strip())


def _mailbox(text: str) -> str:
    """Check `Name <address>` or a bare address; empty stays empty."""
    name, address = split_mailbox(text)
    if not text:
        return text
    if not text.isprintable() or any(letter in name for letter in '<>"@'):
        raise PydanticCustomError("no_address", "not an e-mail address", {"word": text})
    try:
        validate_email(address, check_deliverability=False)
    except EmailNotValidError as fault:
        raise PydanticCustomError("no_address", "not an e-mail address", {"word": text}) from fault
    return text


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or not text.isprintable()):
        raise PydanticCustomError("no_web_address", "not a web address", {"word": text})
    return text


def _door(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if text and not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise PydanticCustomError("no_door", "not HOST:PORT", {"word": text})
    return text


def _one_line(text: str) -> str:
    if any(not letter.isprintable() for letter in text):
        raise PydanticCustomError("control", "control character")
    return text.strip()


def _kinds(kinds: tuple[str, ...]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in KINDS:
            raise PydanticCustomError("unknown_kind", "unknown kind", {"word": kind})
    return kinds


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Line = Annotated[str, AfterValidator(_one_line), Field(max_length=300)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Door = Annotated[str, AfterValidator(_door)]
Name = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]


class Section(BaseModel):
    """One table of config.toml."""

    model_config = FROZEN


class Shop(Section):
    """Who writes: what stands below every mail, and the shop's zone, language and manner of speaking."""

    name: Annotated[Line, Field(min_length=1)]
    address: Annotated[str, Field(min_length=1, max_length=500)]
    legal_form: Line = ""
    represented_by: Line = ""
    register_entry: Line = ""
    vat_id: Line = ""
    chamber: Line = ""
    phone: Line = ""
    email: Mailbox = ""
    url: WebAddress = ""
    privacy: WebAddress = ""
    timezone: Annotated[str, AfterValidator(_zone_name)] = "Europe/Berlin"
    language: Literal["de", "en"] = "de"
    address_form: Literal["Sie", "du"] = "Sie"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "DE"
    holidays: Line = ""

    @property
    def zone(self) -> ZoneInfo:
        """Return the shop's time zone."""
        return ZoneInfo(self.timezone)


class Store(Section):
    """Where the memory lies."""

    url: Annotated[str, Field(pattern=r"^(sqlite:///.|postgresql(\+psycopg)?://.)")] = "sqlite:///treuepost.db"

    @property
    def file(self) -> Path | None:
        """Return the SQLite file, or None on PostgreSQL."""
        path = self.url.removeprefix("sqlite:///")
        return Path(path) if path != self.url else None


class ProviderSection(Section):
    """Who carries the mails, how fast, and with which key."""

    use: Literal["outbox", "smtp", "brevo", "resend", "postmark"] = "outbox"
    sender: Annotated[Mailbox, Field(alias="from")] = ""
    reply_to: Mailbox = ""
    base_url: str = ""
    max_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] = 60
    max_per_day: Annotated[int, Field(ge=1, le=10_000_000)] = 2000
    batch: Annotated[int, Field(ge=1, le=1000)] | None = None
    senders: Annotated[int, Field(ge=1, le=64)] = 4
    stream: Line = ""
    settle: WaitField | None = None
    dpa_signed_at: date | None = None
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    transfer: Line = ""
    webhook_secret_file: str = ""
    webhook_secret: SecretStr | None = None
    api_key_file: str = ""
    api_key: SecretStr | None = None

    @property
    def sender_name(self) -> str:
        """Return the name in `from`, without the address."""
        return split_mailbox(self.sender)[0]

    @property
    def sender_address(self) -> str:
        """Return the address in `from`, without the name."""
        return split_mailbox(self.sender)[1]

    @property
    def secret(self) -> str:
        """Return the key or password; empty without one."""
        return self.api_key.get_secret_value() if self.api_key else ""

    @property
    def message_stream(self) -> str:
        """Return the stream mails go through where the provider has such; the usual one where none is named."""
        return self.stream or USUAL_STREAM

    @property
    def per_call(self) -> int:
        """Return how many mails one call may carry: what the config says, as far as the provider takes it."""
        return min(self.batch or USUAL_BATCH, PROVIDERS[self.use].most)

    @property
    def on_loopback(self) -> bool:
        """Say whether the provider's double on this machine is meant."""
        return urlsplit(self.base_url).hostname in LOOPBACK


class Web(Section):
    """Where the public pages answer, and where the program listens."""

    public_url: WebAddress = ""
    listen: Door = "127.0.0.1:8025"
    trusted_proxies: Texts = ("127.0.0.1", "::1")
    review_listen: Door = ""


class Rules(Section):
    """What holds for all campaigns together."""

    at_most: Annotated[tuple[CapField, ...], BeforeValidator(_as_list), Field(strict=False)] = ()
    quiet_hours: WindowField | None = None
    never_tags: Tags = ()
    data_fresh: SpanField | None = None
    confirm_above: Annotated[int, Field(ge=1, le=10_000_000)] | None = None


class Wording(Section):
    """A text people have agreed to: its file, the kinds of mail it names, and what it is about."""

    file: Annotated[str, Field(min_length=1)]
    kinds: Annotated[Texts, AfterValidator(_kinds)]
    product_scope: str = ""
    title: Line = ""
    language: Literal["de", "en"] = "de"
    special_categories: Texts = ()


class Notice(Section):
    """The § 7(3) hint at the e-mail field: its text, since when it is shown, and what proves it.

    `proof` is a scan or photo of it in use, `declared_by` who says so by name; `contact` is where an objection goes.
    """

    file: Annotated[str, Field(min_length=1)]
    contact: Annotated[Line, Field(min_length=1)]
    shown_from: date | None = None
    shown_until: date | None = None
    proof: str = ""
    declared_by: Line = ""


class Legal(Section):
    """How strictly the law is read; the defaults are the strict ones.

    `similarity` names, for each group, the categories the owner holds to be similar goods (§ 7(3) Nr. 2 UWG).
    """

    jurisdiction: Literal["DE", "AT"] = "DE"
    strict_sale: bool = True
    single_assortment: bool = False
    unsubscribe_scope: Literal["all_advertising", "kind"] = "all_advertising"
    stale_consent: SpanField = Span.parse("24 months")
    stale_customer: SpanField = Span.parse("24 months")
    special_categories: Tags = ()
    similarity: dict[str, Tags] = Field(default_factory=dict)


class Privacy(Section):
    """How long what is kept, and what the record of processing says (Art. 30 GDPR)."""

    confirm_within: SpanField = Span.parse("7 days")
    requests: SpanField = Span.parse("14 days")
    bodies: SpanField = Span.parse("30 days")
    refusals: SpanField = Span.parse("90 days")
    evidence_years: Annotated[int, Field(ge=1, le=30)] = 3
    network: Literal["full", "truncated", "none"] = "full"
    backups: SpanField = Span.parse("35 days")
    officer: Line = ""
    authority: Line = ""


class Source(Section):
    """A file customers or purchases come from, and how to read it."""

    from_: Annotated[Literal["file"], Field(alias="from")] = "file"
    file: Annotated[str, Field(min_length=1)]
    what: Literal["customers", "purchases", "service-items", "visits", "consents", "suppressions"]
    columns: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    date_format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    complete: bool = False
    tidy_names: bool | None = None
    notice: str = ""


class Owner(Section):
    """Who is told when something needs looking after."""

    email: Mailbox = ""


class Config(Section):
    """Everything config.toml says."""

    shop: Shop
    store: Store = Store()
    provider: ProviderSection = ProviderSection()
    web: Web = Web()
    rules: Rules = Rules()
    legal: Legal = Legal()
    wording: dict[Name, Wording] = Field(default_factory=dict)
    notice: dict[Name, Notice] = Field(default_factory=dict)
    source: dict[Name, Source] = Field(default_factory=dict)
    privacy: Privacy = Privacy()
    owner: Owner = Owner()
    _file: Path = PrivateAttr(default=Path("config.toml"))

    def placed(self, file: Path, store: Store) -> Config:
        """Return this config as read from a file, with its store where it really lies."""
        config = self.model_copy(update={"store": store})
        config._file = file  # noqa: SLF001  (its own)
        return config

    @property
    def file(self) -> Path:
        """Return the file this was read from."""
        return self._file

    @property
    def home(self) -> Path:
        """Return the folder the config lies in, with the campaigns and templates beside it."""
        return self._file.parent

    @property
    def rehearsal(self) -> bool:
        """Say whether nobody is really mailed."""
        return self.provider.use == "outbox"

    @property
    def sender_name(self) -> str:
        """Return the name mails come from."""
        return self.provider.sender_name or self.shop.name

    @property
    def sender_address(self) -> str:
        """Return the address mails come from; a rehearsal may have none of its own."""
        return self.provider.sender_address or self.shop.email or "rehearsal@example.invalid"
