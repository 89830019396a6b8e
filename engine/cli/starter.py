"""What `init` and `demo` lay into a new folder: config.toml from the answers, shipped campaigns, templates."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.cli import trades
from engine.cli.opening import Translate
from engine.cli.trades import ORDER_FORM, TRADES
from engine.errors import StoreError, UsageError

KINDS = ("newsletter", "birthday", "winback", "coupon", "thank_you", "feedback_request", "service_reminder")
"""The kinds a wording with one box for everything is written for; the owner narrows them."""


_NEVER_IN_GIT = (
    "treuepost.db*\nsecret.key\nsuppressions.log\nerasures.log\nconsent-checkpoints.log\nbackups/\noutbox/\n*.key\n"
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What `init` was told."""

    language: str = "de"
    trade: str = "other"
    name: str = ""
    address: str = ""
    phone: str = ""
    email: str = ""
    legal_form: str = ""
    represented_by: str = ""
    register_entry: str = ""
    chamber: str = ""
    address_form: str = "Sie"
    holidays: str = ""
    provider: str = "outbox"
    base_url: str = ""
    dpa_signed_at: str = ""
    wording: str = ""
    has_notice: bool = False
    has_contracts: bool = False
    contract_column: str = ""
    customers: str = ""


def shipped(name: str) -> Path:
    """Return a shipped folder or file: package data in an installed wheel, the top level in a checkout."""
    package = Path(__file__).parents[1]
    packed = package / "shipped" / name
    return packed if packed.exists() else package.parent / name


def require_empty(folder: Path) -> None:
    """Refuse a folder that already holds something: nothing of anybody's is overwritten."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty.", "Name a new folder; `init` overwrites nothing.")


def lay_out(folder: Path, answers: Answers, _: Translate) -> list[Path]:
    """Write the new shop's files and return them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return list(_files(folder, answers, _))
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error}.", "Check the folder and its permissions.") from error


def _files(folder: Path, answers: Answers, _: Translate) -> Iterator[Path]:
    yield _written(folder / "config.toml", config_text(answers, _))
    yield from _texts(folder / "wordings", answers, _)
    yield _written(folder / ".gitignore", _NEVER_IN_GIT)
    shutil.copytree(shipped("templates"), folder / "templates", ignore=shutil.ignore_patterns(".*", "*~"))
    yield folder / "templates"
    for file in sorted(shipped("campaigns").glob("*.toml")):
        trigger, text = trigger_of(file), file.read_text(encoding="utf-8")
        if trigger in TRADES[answers.trade].triggers:
            yield _written(folder / "campaigns" / file.name, _advertising(text, answers.trade, trigger))
        if trigger == "service_due" and answers.has_contracts:
            yield _written(folder / "campaigns" / f"{file.stem}-contract.toml", for_contracts(text))


def _advertising(text: str, trade: str, trigger: str) -> str:
    """Return a campaign's file with what it advertises, where the trade tells."""
    categories = TRADES[trade].advertised(trigger)
    if not categories:
        return text
    return re.sub(r"(?m)^# advertises = \[[^\]]*\]", f"advertises = {json.dumps(categories)}", text, count=1)


def _texts(folder: Path, answers: Answers, _: Translate) -> Iterator[Path]:
    """Write the texts to agree to and the hint for the order form; they name the shop and where to write to it."""
    if answers.wording:
        yield _written(folder / "newsletter.txt", answers.wording.strip() + "\n")
    if not answers.email:
        return
    for text in trades.texts_for(answers.trade, own=bool(answers.wording)):
        named = {"shop": answers.name, "scope": _(TRADES[answers.trade].scope), "email": answers.email}
        yield _written(folder / f"{text.id}.txt", _(text.sentence, **named) + "\n")
    yield _written(folder / f"{ORDER_FORM}.txt", hint(answers.email, _) + "\n")


def hint(email: str, _: Translate) -> str:
    """Return the sentence for the order form (§ 7(3) Nr. 4 UWG)."""
    return _(
        "We also use your e-mail address to recommend our own similar goods or services and to ask how satisfied you "
        "are. You may object at any time – here ☐ or later at %(email)s – at no cost beyond basic transmission rates.",
        email=email or "…",
    )


def trigger_of(file: Path) -> str:
    """Return which trigger a campaign file names."""
    with file.open("rb") as content:
        return str(tomllib.load(content).get("trigger", {}).get("on", ""))


_FOR_THE_OTHERS = (
    "# advertises = ",
    "# Wer einen Wartungsvertrag hat,",
    "# Reminds people of services that fall due. For",
    "# kind = ",
)
"""Lines of the campaign for everybody else that would mislead in the one for contracts, which must not advertise."""


def for_contracts(text: str) -> str:
    """Return a service campaign for customers with a contract: an id of its own, and the kind that is owed."""
    changes = {
        'id      = "service"': 'id      = "service-contract"',
        'name    = "Wartung"': 'name    = "Wartung laut Vertrag"',
        'kind    = "service_reminder"': 'kind    = "contract_appointment"',
        'contract = "without"': 'contract = "with"',
    }
    for old, new in changes.items():
        text = text.replace(old, new)
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_FOR_THE_OTHERS))


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def config_text(answers: Answers, _: Translate) -> str:
    """Return config.toml: only keys this version reads, each with what it is for."""
    parts = [
        "# " + _("Treuepost. Secrets do not belong here: api_key_file, or TREUEPOST_PROVIDER__API_KEY."),
        _shop(answers),
        '[store]\nurl = "sqlite:///treuepost.db"',
        _provider(answers, _),
        _rules(_),
        trades.similarity(answers.trade, _),
        _wording(answers, _),
        *_prepared(answers, _),
        _sources(answers),
        _owner(answers, _),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _owner(answers: Answers, _: Translate) -> str:
    what_for = _("Where the daemon writes when nothing could be sent for a day.")
    return f"[owner]\n# {what_for}\n{_line('email', answers.email)}"


def _shop(answers: Answers) -> str:
    lines = [
        _line("name", answers.name),
        _line("address", answers.address),
        *(_line(key, getattr(answers, key)) for key in _IMPRINT if getattr(answers, key)),
        _line("language", answers.language),
        _line("address_form", answers.address_form),
    ]
    if answers.holidays:
        lines.append(_line("holidays", answers.holidays))
    return "\n".join(["[shop]", *lines])


_IMPRINT = ("legal_form", "represented_by", "register_entry", "chamber", "phone", "email")


def _provider(answers: Answers, _: Translate) -> str:
    sender = f"{answers.name} <{answers.email}>" if answers.email else ""
    lines = ["[provider]", "# " + _("outbox = rehearsal: mails become files in outbox/, nobody is written to.")]
    lines.append(_line("use", "outbox"))
    if sender:
        lines.append(_line("from", sender))
    if answers.dpa_signed_at:
        lines.append(f"dpa_signed_at = {answers.dpa_signed_at}")
    if answers.provider != "outbox":
        lines.append("# " + _("When the rehearsal has convinced you:"))
        lines += [f"# {_line('use', answers.provider)}", *_account(answers)]
    return "\n".join(lines)


def _account(answers: Answers) -> list[str]:
    if answers.provider == "smtp":
        return [f"# {_line('base_url', answers.base_url or 'smtp://user@smtp.example.com:587')}"]
    return [f"# {_line('api_key_file', 'provider.key')}"]


def _rules(_: Translate) -> str:
    at_most = f"# {_('However many campaigns there are: nobody gets more than this.')}"
    return f'[rules]\n{at_most}\nat_most = "2 per 30 days"\nquiet_hours = "20:00-08:00"'


def _wording(answers: Answers, _: Translate) -> str:
    if not answers.wording:
        return ""
    kinds = ", ".join(json.dumps(kind) for kind in KINDS)
    narrow = f"# {_('Leave only the kinds of mail this text really names: they decide what a consent is good for.')}"
    scope = _line("product_scope", _(TRADES[answers.trade].scope))
    return f'[wording.newsletter]\nfile = "wordings/newsletter.txt"\n{narrow}\nkinds = [{kinds}]\n{scope}'


def _prepared(answers: Answers, _: Translate) -> Iterator[str]:
    if answers.email:
        yield from trades.wordings(answers.trade, _, own=bool(answers.wording))
        yield trades.notice(answers.email, _)


def _sources(answers: Answers) -> str:
    """Return how the list of service items will be read, once there is one."""
    if not (answers.has_contracts and answers.contract_column):
        return ""
    column = json.dumps(answers.contract_column, ensure_ascii=False)
    lines = (
        "[source.service-items]",
        'from = "file"',
        'file = "service-items.csv"',
        'what = "service-items"',
        f'columns = {{ {column} = "contract_ref" }}',
    )
    return "\n".join(f"# {line}" for line in lines)


def _line(key: str, value: str) -> str:
    """Return one TOML line; a JSON string is a TOML basic string."""
    return f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
