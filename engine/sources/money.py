"""Money as people write it. Which sign is the decimal one is read from the whole column, never from one cell.

`1.234,50` proves a comma, `1,234.50` a point; `1.234` proves nothing. A column that proves both is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from babel.numbers import get_currency_precision, list_currencies

from engine.errors import TreuepostError
from engine.sources.faults import Unfit
from engine.sources.tables import Exact, shortened

POINT, COMMA = ".", ","
_SIGNS = {
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "US$": "USD",
    "Fr.": "CHF",
    "SFr.": "CHF",
    "zł": "PLN",
    "Kč": "CZK",
    "¥": "JPY",
}
_MONEY = re.compile(
    r"(?P<minus>[-−]?)(?P<before>[^\d\s.,'’−-]{1,4}\.?)?(?P<inner>[-−]?)(?P<number>\d[\d.,'’]*)(?P<after>\D*)\Z"
)
_GROUPS = {POINT: re.compile(r"\d{1,3}(?:,\d{3})*(?:\.\d*)?\Z"), COMMA: re.compile(r"\d{1,3}(?:\.\d{3})*(?:,\d*)?\Z")}
_BARE = {POINT: re.compile(r"\d+(?:\.\d*)?\Z"), COMMA: re.compile(r"\d+(?:,\d*)?\Z")}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a column proves: its decimal sign, or None where no cell proves one."""

    decimal: str | None = None


def read_evidence(cells: Iterable[tuple[int, str]]) -> Evidence:
    """Go through a column and return what it proves; raise for a column that proves both ways of writing."""
    proofs: dict[str, tuple[int, str]] = {}
    for line, cell in cells:
        proved = None if isinstance(cell, Exact) else proves(cell)
        if proved and proved not in proofs:
            proofs[proved] = (line, cell)
            if len(proofs) == 2:
                raise _mixed(proofs)
    return Evidence(next(iter(proofs), None))


def _mixed(proofs: dict[str, tuple[int, str]]) -> TreuepostError:
    (first, one), (second, other) = proofs.values()
    return TreuepostError(
        f'The amounts are written in two ways: row {first} has "{shortened(one)}", row {second} "{shortened(other)}".',
        "Nothing was imported. Write the whole column in one way, 1234.50 or 1234,50.",
    )


@lru_cache(maxsize=100_000)
def proves(cell: str) -> str | None:
    """Return the decimal sign this one cell proves, if any."""
    match = _MONEY.match(_joined(cell))
    if not match:
        return None
    number = match["number"]
    last = max(number.rfind(POINT), number.rfind(COMMA))
    if last < 0:
        return None
    sign, other = number[last], COMMA if number[last] == POINT else POINT
    if other in number:
        return sign
    if number.count(sign) > 1:
        return other
    if _is_ambiguous(number, last):
        return POINT if match["before"] in {"$", "£", "US$"} and sign == COMMA else None
    return sign


def _is_ambiguous(number: str, last: int) -> bool:
    """Say whether one sign before three digits may as well divide thousands: 1.234, but not 0.125 or 1234.500."""
    return len(number) - last == 4 and 1 <= last <= 3 and not number.startswith("0")


def read_amount(cell: str, currency: str, evidence: Evidence) -> int | None:
    """Return an amount in the currency's smallest unit; None for an empty cell."""
    if isinstance(cell, Exact):
        return _minor(Decimal(cell), currency, cell)
    return _read(cell, currency, evidence.decimal)


@lru_cache(maxsize=100_000)
def _read(cell: str, currency: str, decimal: str | None) -> int | None:
    text = _joined(cell)
    if not text:
        return None
    match = _MONEY.match(text)
    if not match:
        raise Unfit(f'"{shortened(cell, 30)}" is not an amount; write it like 1234.50')
    _same_currency(match["before"] or match["after"], currency, cell)
    number = match["number"].replace("'", "").replace("’", "")
    value = _decimal(number, decimal or proves(cell), cell)
    return _minor(-value if match["minus"] or match["inner"] or match["after"] == "-" else value, currency, cell)


def _joined(cell: str) -> str:
    """Remove the blanks, thin and unbreakable ones too, that divide thousands or stand before the currency."""
    return "".join(cell.split())


def _decimal(number: str, decimal: str | None, cell: str) -> Decimal:
    if POINT not in number and COMMA not in number:
        return Decimal(number)
    if decimal is None:
        raise Unfit(
            f'"{shortened(cell, 30)}" can be read two ways and no other row of the column says which; '
            "write it with two decimals"
        )
    if not (_GROUPS[decimal].match(number) or _BARE[decimal].match(number)):
        raise Unfit(f'"{shortened(cell, 30)}" is not an amount in a column whose decimal sign is "{decimal}"')
    try:
        return Decimal(number.replace(COMMA if decimal == POINT else POINT, "").replace(decimal, "."))
    except InvalidOperation as error:
        raise Unfit(f'"{shortened(cell, 30)}" is not an amount; write it like 1234.50') from error


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


def _same_currency(sign: str, currency: str, cell: str) -> None:
    sign = sign.strip("-")
    said = _SIGNS.get(sign, sign.rstrip(".").upper())
    if not sign or said == currency:
        return
    if said not in _currencies():
        raise Unfit(f'"{shortened(cell, 30)}" is not an amount; write it like 1234.50')
    raise Unfit(f'"{shortened(cell, 30)}" is in {said}, but this row\'s currency is {currency}; add a column currency')


def _minor(value: Decimal, currency: str, cell: str) -> int:
    decimals = get_currency_precision(currency)
    scaled = value.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise Unfit(f'"{shortened(cell, 30)}" has more decimals than {currency} has ({decimals})')
    if abs(scaled) >= 10**15:
        raise Unfit(f'"{shortened(cell, 30)}" is more than any shop takes')
    return int(scaled)


@lru_cache(maxsize=500)
def read_currency(text: str) -> str:
    """Return a currency's three letters; a sign that stands for one currency only will do."""
    bare = text.strip()
    code = {"€": "EUR", "£": "GBP"}.get(bare, bare.upper())
    if code and code not in _currencies():
        raise Unfit(f'"{shortened(bare, 30)}" is not a currency; write three letters like EUR')
    return code
