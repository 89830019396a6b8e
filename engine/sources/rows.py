"""What a row of each kind of file holds, once it is known to be sound. Rows are frozen; nothing here touches the store.

A field the file has no column for is absent from `given`: an absent column leaves what is stored, an empty cell clears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated, ClassVar, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation, ValidationInfo

from engine.domain.names import tidy_name
from engine.sources import dates, values
from engine.sources.faults import Unfit
from engine.sources.mailboxes import read_address, remarks
from engine.sources.money import Evidence, read_amount, read_currency
from engine.sources.tables import Refusal, shortened

Value = TypeVar("Value")
_NO = frozenset({"withdrawn", "objected"})


class Birthday(NamedTuple):
    """A birthday as month*100+day, with the year where it is known."""

    md: int
    year: int | None


@dataclass(slots=True)
class Reading:
    """What the cells are read with: how days are written, the shop's zone and currency, and the present instant.

    `notes` collects what is remarkable about the row being read.
    """

    dates: dates.DateFormat | None
    zone: ZoneInfo
    currency: str
    now: datetime
    today: date
    tidy_names: bool = False
    money: Evidence = field(default_factory=Evidence)
    notes: list[str] = field(default_factory=list)


def _context(info: ValidationInfo) -> Reading:
    reading = info.context
    if not isinstance(reading, Reading):
        raise TypeError("rows are read with a Reading as their context")
    return reading


def _name(cell: str, info: ValidationInfo) -> str:
    text = values.read_text(cell, values.LONGEST_NAME)
    reading = _context(info)
    if values.has_breaks(cell):
        reading.notes.append("line_break")
    return tidy_name(text) if reading.tidy_names else text


def _email(cell: str, info: ValidationInfo) -> str | None:
    address = read_address(cell)
    if address:
        _context(info).notes.extend(remarks(address))
    return address


def _birthday(cell: str, info: ValidationInfo) -> Birthday | None:
    reading = _context(info)
    found = dates.read_birthday(cell, reading.dates, reading.today)
    return Birthday(*found) if found else None


def _day(cell: str, info: ValidationInfo) -> date | None:
    return dates.read_day(cell, _context(info).dates) if cell else None


def _past_day(cell: str, info: ValidationInfo) -> date | None:
    day = _day(cell, info)
    if day and day > _context(info).today:
        raise Unfit(f'"{shortened(cell, 30)}" lies in the future')
    return day


def _instant(cell: str, info: ValidationInfo) -> datetime | None:
    reading = _context(info)
    return dates.read_instant(cell, reading.dates, reading.zone) if cell else None


def _past_instant(cell: str, info: ValidationInfo) -> datetime | None:
    reading = _context(info)
    instant = _instant(cell, info)
    if instant is None or instant <= reading.now:
        return instant
    if dates.names_only_a_day(cell) and instant - reading.now <= timedelta(hours=24):
        day = instant.astimezone(reading.zone).date()
        if day <= reading.today:
            return instant
    raise Unfit(f'"{shortened(cell, 30)}" lies in the future')


def _consent_at(cell: str, info: ValidationInfo) -> datetime | None:
    """Read when a consent's state began; a no is never refused for its date."""
    return _instant(cell, info) if info.data.get("state") in _NO else _past_instant(cell, info)


def _currency(cell: str, info: ValidationInfo) -> str:
    return read_currency(cell) or _context(info).currency


def _amount(cell: str, info: ValidationInfo) -> int | None:
    currency = info.data.get("currency", "")
    if not currency:  # its own refusal is told already
        return None
    return read_amount(cell, currency, _context(info).money)


def _required(read: Callable[..., Value | None]) -> Callable[[str, ValidationInfo], Value]:
    """Return the same reader for a field no row may leave empty."""

    def checked(cell: str, info: ValidationInfo) -> Value:
        value = read(cell, info)
        if value is None or value == "":
            raise Unfit("is empty; every row needs it")
        return value

    return checked


def _id(cell: str, _info: ValidationInfo) -> str | None:
    return values.read_id(cell)


def _state(cell: str, _info: ValidationInfo) -> str:
    return values.read_consent_state(cell)


def _status(cell: str) -> str:
    return values.read_status(cell) or "concluded"


def _company(cell: str) -> str:
    return values.read_text(cell, values.LONGEST_NAME)


Text = Annotated[str, BeforeValidator(values.read_text)]
Name = Annotated[str, BeforeValidator(_name)]
Key = Annotated[str, BeforeValidator(_required(_id))]
Id = Annotated[str | None, BeforeValidator(values.read_id)]
Address = Annotated[str | None, BeforeValidator(_email)]
OptionalDay = Annotated[date | None, BeforeValidator(_day)]
PastDay = Annotated[date | None, BeforeValidator(_past_day)]
OptionalInstant = Annotated[datetime | None, BeforeValidator(_instant)]
PastInstant = Annotated[datetime | None, BeforeValidator(_past_instant)]
Words = Annotated[tuple[str, ...], BeforeValidator(values.read_list)]
Flag = Annotated[bool | None, BeforeValidator(values.read_flag)]


class Row(BaseModel):
    """What every sound row has: its line, the fields its file has columns for, and its cells as they were."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    WHAT: ClassVar[str]
    NEEDS: ClassVar[tuple[tuple[str, ...], ...]]
    """Groups of columns of which a file needs at least one each."""

    line: SkipValidation[int]
    given: SkipValidation[frozenset[str]]
    cells: SkipValidation[Sequence[str]] = ()

    def refusal(self, field: str, reason: str, value: str = "") -> Refusal:
        """Return this row as refused."""
        return Refusal(self.line, field, reason, shortened(value), self.cells)


class _OfSomebody(Row):
    customer_id: Id = None
    email: Address = None

    def model_post_init(self, _context: object, /) -> None:
        """Refuse a row that says nothing about whose it is."""
        if self.customer_id is None and self.email is None:
            raise Unfit("neither customer_id nor email; one of them is needed")


class CustomerRow(_OfSomebody):
    """One customer of the shop."""

    WHAT = "customers"
    NEEDS = (("customer_id", "email"),)

    first_name: Name = ""
    last_name: Name = ""
    salutation: Name = ""
    company: Annotated[str, BeforeValidator(_company)] = ""
    birthday: Annotated[Birthday | None, BeforeValidator(_birthday)] = None
    language: Annotated[str, BeforeValidator(values.read_language)] = ""
    address_form: Annotated[str, BeforeValidator(values.read_address_form)] = ""
    timezone: Annotated[str, BeforeValidator(values.read_zone)] = ""
    country: Annotated[str, BeforeValidator(values.read_country)] = ""
    customer_since: PastDay = None
    tags: Words = ()

    @property
    def birth_md(self) -> int | None:
        """Return the birthday as month*100+day."""
        return self.birthday.md if self.birthday else None

    @property
    def birth_year(self) -> int | None:
        """Return the year of birth where it is known."""
        return self.birthday.year if self.birthday else None


class PurchaseRow(_OfSomebody):
    """One purchase, by the shop's own id."""

    WHAT = "purchases"
    NEEDS = (("purchase_id",), ("purchased_at",), ("customer_id", "email"))

    purchase_id: Key
    purchased_at: Annotated[datetime, BeforeValidator(_required(_past_instant))]
    currency: Annotated[str, BeforeValidator(_currency)] = ""
    amount_minor: Annotated[int | None, BeforeValidator(_amount)] = Field(default=None, validation_alias="amount")
    status: Annotated[str, BeforeValidator(_status)] = "concluded"
    categories: Words = ()
    items: Words = ()
    email_from_sale: Flag = None
    notice: Text = ""
    notice_shown_at: OptionalInstant = None


class ServiceItemRow(_OfSomebody):
    """One thing at the customer's that needs service."""

    WHAT = "service-items"
    NEEDS = (("service_item_id",), ("customer_id", "email"))

    service_item_id: Key
    name: Text = ""
    item_type: Text = ""
    last_service_on: PastDay = None
    interval: Annotated[str, BeforeValidator(values.read_interval)] = ""
    next_service_on: OptionalDay = None
    booked_for: OptionalDay = None
    contract_ref: Text = ""
    contract_from: OptionalDay = None
    contract_until: OptionalDay = None


class VisitRow(Row):
    """One service that was done."""

    WHAT = "visits"
    NEEDS = (("visit_id",), ("service_item_id",), ("done_on",))

    visit_id: Key
    service_item_id: Key
    done_on: Annotated[date, BeforeValidator(_required(_past_day))]
    next_service_on: OptionalDay = None
    report_url: Text = ""


class ConsentRow(Row):
    """One event in the life of a consent, as another program knows it."""

    WHAT = "consents"
    NEEDS = (("email",), ("state",))

    email: Annotated[str, BeforeValidator(_required(_email))]
    state: Annotated[str, BeforeValidator(_required(_state))]
    at: Annotated[datetime | None, BeforeValidator(_consent_at)] = None
    kinds: Words = ()
    wording: Text = ""
    requested_at: PastInstant = None
    source: Text = ""
    proof: Text = ""


class SuppressionRow(Row):
    """One address nobody may write to."""

    WHAT = "suppressions"
    NEEDS = (("email",),)

    email: Annotated[str, BeforeValidator(_required(_email))]
    reason: Text = ""
    at: OptionalInstant = None
    scope: Text = ""


ROWS: dict[str, type[Row]] = {
    kind.WHAT: kind for kind in (CustomerRow, PurchaseRow, ServiceItemRow, VisitRow, ConsentRow, SuppressionRow)
}


def fields_of(what: str) -> tuple[str, ...]:
    """Return the columns a file of this kind may have, by the names the design gives them."""
    return tuple(
        str(about.validation_alias or name)
        for name, about in ROWS[what].model_fields.items()
        if name not in {"line", "given", "cells"}
    )
