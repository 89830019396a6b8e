"""What a person may ask for: everything we know of them, or what they gave us in a common format (Art. 15, 20 GDPR).

A document is plain data; pages and files are made from it elsewhere. It holds this one person's data and nobody
else's: not of those who share the address, nor anything of which it is unknown whose it is (law G1, G2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from engine.config.loading import Config
from engine.domain.addresses import exact
from engine.language import LANGUAGES, Language
from engine.steps.privacy import processing
from engine.steps.privacy.processing import Document
from engine.steps.privacy.subjects import Subject
from engine.steps.shop import Premises
from engine.store import addresses, people, personal_data, privacy_events, scrubbing, suppressions
from engine.store.consents import ConsentEntry
from engine.store.privacy_events import Deed

_PROFILE = (
    *(
        "customer_id",
        "email",
        "salutation",
        "first_name",
        "last_name",
        "company",
        "birthday",
        "language",
        "address_form",
    ),
    *("timezone", "country", "customer_since", "tags", "not_in_source", "restricted_at", "parents_agreed_at"),
    "updated_at",
)
_GIVEN = tuple(name for name in _PROFILE if name not in {"tags", "not_in_source", "restricted_at", "updated_at"})
"""What the person gave: tags are the shop's own notes."""
AT_THE_PAGE = "person"
"""Who acts where the person opens the document themselves."""
_LISTS = ("categories", "items", "tags")


def export_document(shop: Premises, email_exact: str, now: datetime) -> Document | None:
    """Return the access document for whoever is at an address: all customers whose present address it is.

    None where nothing is known of it.
    """
    with shop.database.read() as session:
        number = addresses.find(session, [exact(email_exact)]).get(exact(email_exact))
        if number is None:
            return None
        found = [people.find_by_number(session, one)[0] for one in personal_data.present_at(session, number)]
        subjects = [Subject.of(session, person) for person in found]
        if not subjects:
            subjects = [Subject(None, None, None, "", addresses.emails_of(session, [number]))]
        persons = [_person(session, shop, one) for one in subjects]
    for one in subjects:
        note_export(shop, one, AT_THE_PAGE, "export", now)
    return _document(shop, persons, subjects, now)


def access(shop: Premises, subject: Subject, now: datetime) -> Document:
    """Return everything that is known of one person (Art. 15 GDPR)."""
    with shop.database.read() as session:
        persons = [_person(session, shop, subject)]
    return _document(shop, persons, [subject], now)


def note_export(shop: Premises, subject: Subject, operator: str, what: str, now: datetime) -> None:
    """Note that somebody's data was put together, by whom and when (law P5)."""
    with shop.database.write() as session:
        privacy_events.note(session, Deed(now, operator, what, subject.key(shop.keyring)))


def _document(shop: Premises, persons: list[Document], subjects: Sequence[Subject], now: datetime) -> Document:
    config = shop.config
    language = _language(config, persons)
    say = Language(language).gettext
    with shop.database.read() as session:
        sources = personal_data.sources(session)
    return {
        "made_at": now,
        "language": language,
        "controller": processing.controller(config),
        "persons": persons,
        "logic": _logic(say),
        "purposes": processing.purposes(config, say),
        "recipients": processing.recipients(config, say),
        "sources": sources,
        "terms": processing.terms(config, language),
        "rights": processing.rights(config, say),
        "remarks": _remarks(subjects, persons, say),
    }


def _language(config: Config, persons: Sequence[Document]) -> str:
    """Return the language of the person, where we speak it."""
    wanted = next((person["profile"].get("language") for person in persons if person.get("profile")), "")
    return wanted if wanted in LANGUAGES else config.shop.language


def _logic(say: processing.Say) -> Document:
    return {
        "last_purchase_on": say("the day of the last purchase that was concluded"),
        "purchase_count": say("how many purchases were concluded"),
        "usual_days": say("the middle number of days between two purchases; from three days with purchases on"),
    }


def _remarks(subjects: Sequence[Subject], persons: Sequence[Document], say: processing.Say) -> list[str]:
    said = [say("Invoices and other papers the law demands are kept outside of this program.")]
    if any(person["shared_addresses"] for person in persons):
        said.append(say("An address is shared with somebody else: what may be theirs is left out."))
    if not any(subject.number for subject in subjects):
        said.append(say("The address belongs to no customer."))
    return said


def _person(session: Session, shop: Premises, subject: Subject) -> Document:
    number = subject.number
    own, shared = scrubbing.alone_at(session, number) if number is not None else (set(subject.addresses), set())
    events = personal_data.consent_events(session, number, own, shared)
    emails = subject.emails_at(own)
    keys = subject.address_marks(shop.keyring)
    customer = personal_data.customer(session, number) if number is not None else {}
    return {
        "profile": _profile(customer),
        "addresses": personal_data.addresses(session, number) if number is not None else _bare(emails),
        "shared_addresses": len(shared),
        "figures": {name: customer.get(name) for name in ("last_purchase_on", "purchase_count", "usual_days")},
        "purchases": _plain_rows(personal_data.purchases(session, number)) if number is not None else [],
        "service_items": personal_data.service_items(session, number) if number is not None else [],
        "visits": personal_data.visits(session, number) if number is not None else [],
        "consents": [_said(event) for event in events],
        "wordings": _wordings(session, shop, events),
        "mails": personal_data.mails(session, number) if number is not None else [],
        "replies": personal_data.replies(session, emails, keys) if not shared else [],
        "suppressions": [
            {"reason": one.reason, "scope": one.scope, "at": one.at, "check_value": one.exact_hash}
            for one in suppressions.standing(session, subject.marks(shop.keyring))
        ],
        "done_with_the_data": [
            {"at": deed.at, "what": deed.action} for deed in privacy_events.about(session, subject.marks(shop.keyring))
        ],
    }


def _bare(emails: Sequence[str]) -> list[Document]:
    return [{"email": email, "present": False} for email in emails]


def _profile(customer: Mapping[str, Any]) -> Document:
    if not customer:
        return {}
    month_day, year = customer["birth_md"], customer["birth_year"]
    born = f"{year or '-'}-{month_day // 100:02d}-{month_day % 100:02d}" if month_day else ""
    return _plain({name: born if name == "birthday" else customer[name] for name in _PROFILE})


def _plain_rows(rows: Sequence[Mapping[str, Any]]) -> list[Document]:
    return [_plain(row) for row in rows]


def _plain(row: Mapping[str, Any]) -> Document:
    """Return a row with its lists as lists."""
    cells = dict(row)
    for name in _LISTS:
        if name in cells:
            cells[name] = [word for word in cells[name].split(";") if word]
    return cells


def _said(event: ConsentEntry) -> Document:
    names = ("email", "state", "at", "recorded_at", "wording", "source", "proof", "proven")
    return {name: getattr(event, name) for name in names} | {"kinds": sorted(event.kinds)}


def _wordings(session: Session, shop: Premises, events: Sequence[ConsentEntry]) -> list[Document]:
    """Return the texts that were agreed to: every registered version, else the file as it is."""
    names = sorted({event.wording for event in events if event.wording})
    known = personal_data.wording_texts(session, names)
    found: list[Document] = []
    for name in names:
        versions = [{"wording": name, "since": seen, **_content(text)} for seen, text in known.get(name, ())]
        found += versions or [{"wording": name, "since": None, "text": _file(shop, name)}]
    return found


def _content(text: str) -> Document:
    try:
        content = json.loads(text)
    except ValueError:
        return {"text": text}
    return content if isinstance(content, dict) else {"text": text}


def _file(shop: Premises, name: str) -> str:
    wording = shop.config.wording.get(name)
    file = shop.home / wording.file if wording else None
    return file.read_text(encoding="utf-8").strip() if file and file.is_file() else ""


def portable(shop: Premises, subject: Subject, now: datetime) -> Document:
    """Return what the person gave, on consent or contract, and nothing we made of it (Art. 20 GDPR)."""
    whole = access(shop, subject, now)["persons"][0]
    purchases = [{name: value for name, value in row.items() if name in _BOUGHT} for row in whole["purchases"]]
    return {
        "made_at": now,
        "profile": [{name: value for name, value in whole["profile"].items() if name in _GIVEN}],
        "purchases": purchases,
        "service_items": [
            {name: value for name, value in row.items() if name in _SERVED} for row in whole["service_items"]
        ],
        "visits": [{name: value for name, value in row.items() if name != "updated_at"} for row in whole["visits"]],
        "consents": [
            {name: row[name] for name in ("email", "state", "at", "kinds", "wording")} for row in whole["consents"]
        ],
    }


_BOUGHT = frozenset({"purchase_id", "purchased_at", "amount_minor", "currency", "status", "categories", "items"})
_SERVED = frozenset(
    {"service_item_id", "name", "item_type", "last_service_on", "interval", "next_service_on", "booked_for"}
    | {"contract_ref", "contract_from", "contract_until"}
)
