"""Correcting, restricting and keeping a person's data, by the owner's hand (Art. 16, 18 GDPR; law G3, G5).

A correction goes through the same door as an import: the same checks, the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlmodel import Session

from engine.domain.addresses import exact
from engine.errors import NothingFound, UsageError
from engine.sources.rows import CustomerRow, Reading
from engine.steps.importing.contract import Asked
from engine.steps.importing.customers import CustomersImport, incoming
from engine.steps.privacy.subjects import Subject, holds_of, whom
from engine.steps.shop import Premises
from engine.store import addresses, customers, installation, legal_holds, people, privacy_events
from engine.store.customers import Known
from engine.store.legal_holds import NewHold
from engine.store.privacy_events import Deed

CORRECTABLE = (
    *("first_name", "last_name", "salutation", "company", "birthday", "language", "address_form", "timezone"),
    *("country", "customer_since", "email", "tags"),
)


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction came to. A new address has no consent: proof is bound to the mailbox (law B14)."""

    subject: Subject
    changed: bool
    new_address: bool


def correct(shop: Premises, who: str, given: Mapping[str, str], operator: str, now: datetime) -> Corrected:
    """Write what is right; raise UsageError for a field or a value that cannot be."""
    unknown = sorted(set(given) - set(CORRECTABLE))
    if unknown or not given:
        raise UsageError(
            f"{', '.join(unknown) or 'Nothing'}: no field that can be corrected.", f"Allowed: {', '.join(CORRECTABLE)}."
        )
    with shop.database.write() as session:
        subject = _customer(session, who)
        before = people.find_by_number(session, subject.number or 0)[0]
        row = _row(shop, given, subject, before.email or "", now)
        importer = CustomersImport(shop, Asked("customers", now, shop.config.shop.zone))
        counts = importer.write(session, [incoming(row, Known(subject.number or 0, subject.customer_id, ""))])
        if counts.updated:
            installation.bump_data_version(session)
        fields = " ".join(sorted(given))
        privacy_events.note(session, Deed(now, operator, "correct", subject.key(shop.keyring), fields))
        moved = "email" in given and exact(row.email or "") != exact(before.email or "")
    return Corrected(subject, counts.updated == 1, moved)


def _customer(session: Session, who: str) -> Subject:
    subject = whom(session, who)
    if subject.number is None:
        raise NothingFound(f'"{who}" is the address of no customer.', "An address alone has nothing to correct.")
    return subject


def _row(shop: Premises, given: Mapping[str, str], subject: Subject, email: str, now: datetime) -> CustomerRow:
    zone, currency = shop.config.shop.zone, shop.config.shop.currency
    reading = Reading(None, zone, currency, now, now.astimezone(zone).date())
    known = {"customer_id": subject.customer_id or "", "email": email} | dict(given)
    try:
        return CustomerRow.model_validate({**known, "line": 0, "given": frozenset(given), "cells": ()}, context=reading)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        field = str(fault["loc"][0]) if fault["loc"] else "?"
        raise UsageError(f"{field}: {fault['msg']}.", "Write it as in a file for import.") from error


def restrict(shop: Premises, who: str, because: str, operator: str, now: datetime) -> Subject:
    """Keep somebody's data and use it for nothing, from now on (Art. 18 GDPR)."""
    return _mark(shop, who, Deed(now, operator, "restrict", "", because), now)


def unrestrict(shop: Premises, who: str, operator: str, now: datetime) -> Subject:
    """Use somebody's data again; they must have been told beforehand (Art. 18(3) GDPR)."""
    return _mark(shop, who, Deed(now, operator, "lift_restriction"), None)


def _mark(shop: Premises, who: str, deed: Deed, since: datetime | None) -> Subject:
    with shop.database.write() as session:
        subject = _customer(session, who)
        addresses.lock(session, subject.addresses)  # a release that is under way ends first, or sees it
        customers.restrict(session, subject.number or 0, since, deed.at)
        note = Deed(deed.at, deed.operator, deed.action, subject.key(shop.keyring), subject.without_names(deed.detail))
        privacy_events.note(session, note)
    return subject


def hold(shop: Premises, who: str, case: str, operator: str, now: datetime) -> Subject:
    """Keep somebody's data for a case: nothing is mailed, erased or purged while it stands (Art. 17(3)(e) GDPR)."""
    with shop.database.write() as session:
        subject = whom(session, who)
        addresses.lock(session, subject.addresses)
        key = "" if subject.number is not None else subject.key(shop.keyring)
        legal_holds.place(session, NewHold(subject.number, key, case, operator, now))
        privacy_events.note(
            session, Deed(now, operator, "hold", subject.key(shop.keyring), subject.without_names(case))
        )
    return subject


def release(shop: Premises, who: str, case: str, operator: str, now: datetime) -> list[str]:
    """End the case, or every case, for which somebody's data is kept; return their references."""
    with shop.database.write() as session:
        subject = whom(session, who)
        standing = [one for one in holds_of(session, shop.keyring, subject) if case in ("", one.case_ref)]
        if not standing:
            raise NothingFound("No such case stands for this person.")
        legal_holds.lift(session, [one.id for one in standing], now)
        told = subject.without_names(", ".join(one.case_ref for one in standing))
        privacy_events.note(session, Deed(now, operator, "lift_hold", subject.key(shop.keyring), told))
    return [one.case_ref for one in standing]
