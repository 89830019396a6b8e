"""config.toml: its keys, its secrets, its overrides; and every mistake at its place."""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from pydantic import BaseModel

from engine.config.loading import RESERVED, Config, examine_config, find_config, load_config
from engine.domain.grammar import Cap, Span, Window
from engine.errors import Finding, Invalid
from engine.toml.model_keys import fields_at, keys_of

ROOT = Path(__file__).parents[1]
SMALL = '[shop]\nname = "Radhaus"\naddress = "Lindenallee 4"\nemail = "a@radhaus.shop"\nlanguage = "en"\n'
REAL = f'{SMALL}[provider]\nuse = "brevo"\nfrom = "Radhaus <post@radhaus.shop>"\n'
KEY = {"TREUEPOST_PROVIDER__API_KEY": "xkeysib-1"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty shop folder, as an owner does."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _load(home: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    (home / "config.toml").write_text(text, encoding="utf-8")
    return load_config(Path("config.toml"), environ or {})


def _findings(home: Path, text: str | bytes, environ: dict[str, str] | None = None) -> list[Finding]:
    (home / "config.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return examine_config(Path("config.toml"), environ or {})[1]


def _only(home: Path, text: str | bytes, environ: dict[str, str] | None = None) -> Finding:
    (finding,) = _findings(home, text, environ)
    return finding


def test_what_a_config_leaves_out_has_its_default(home: Path) -> None:
    config = _load(home, '[shop]\nname = "Radhaus"\naddress = "Lindenallee 4"\n')
    shop, provider = config.shop, config.provider
    assert (shop.language, shop.timezone, shop.address_form, shop.currency, shop.country) == (
        "de",
        "Europe/Berlin",
        "Sie",
        "EUR",
        "DE",
    )
    assert (provider.use, provider.max_per_minute, provider.max_per_day) == ("outbox", 60, 2000)
    assert config.rehearsal
    assert shop.zone.key == "Europe/Berlin"
    assert config.rules.at_most == ()
    assert config.rules.quiet_hours is None
    assert config.home == home
    assert config.file == home / "config.toml"
    assert config.store.url == f"sqlite:///{home}/treuepost.db"
    assert config.store.file == home / "treuepost.db"


def test_a_config_says_everything(home: Path) -> None:
    (home / "w.txt").write_text("Ja", encoding="utf-8")
    config = _load(
        home,
        SMALL
        + '[provider]\nfrom = "Rad Haus <post@radhaus.shop>"\ndpa_signed_at = 2026-10-01\n'
        + '[rules]\nat_most = ["1 per 3 days", "4 per 30 days"]\nquiet_hours = "20:00-08:00"\nnever_tags = ["Nie"]\n'
        + 'data_fresh = "7 days"\n[wording.w]\nfile = "w.txt"\nkinds = ["birthday"]\n'
        + '[source.kunden]\nfrom = "file"\nfile = "k.csv"\nwhat = "customers"\ncolumns = { "Geb." = "birthday" }\n'
        + 'values = { status = { completed = "concluded" } }\n[owner]\nemail = "chefin@radhaus.shop"\n',
    )
    assert config.provider.sender_name == "Rad Haus"
    assert config.provider.sender_address == "post@radhaus.shop"
    assert config.provider.dpa_signed_at == date(2026, 10, 1)
    assert config.rules.at_most == (Cap(1, Span(3, "days")), Cap(4, Span(30, "days")))
    assert config.rules.quiet_hours == Window.parse("20:00-08:00")
    assert config.rules.never_tags == ("nie",)
    assert config.rules.data_fresh == Span(7, "days")
    assert config.wording["w"].kinds == ("birthday",)
    assert config.source["kunden"].columns == {"Geb.": "birthday"}
    assert config.source["kunden"].values["status"] == {"completed": "concluded"}
    assert config.owner.email == "chefin@radhaus.shop"


def test_one_cap_may_stand_alone(home: Path) -> None:
    assert _load(home, SMALL + '[rules]\nat_most = "1 per week"\n').rules.at_most == (Cap(1, Span(1, "weeks")),)


def test_a_config_cannot_be_changed_afterwards(home: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        _load(home, SMALL).shop.name = "x"


# the example


def test_the_example_loads_without_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config, findings = examine_config(Path("config.example.toml"), {})
    assert config is not None
    assert config.rehearsal
    assert [finding for finding in findings if finding.level == "error"] == []


def _keys(table: object, above: str = "") -> set[str]:
    return {f"{above}{key}" for key in table} if isinstance(table, dict) else set()


def test_the_example_shows_every_key_there_is_and_no_other() -> None:
    text = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    data = tomllib.loads(re.sub(r"(?m)^#(\w+ +=)", r"\1", text))
    shown = {name: set(table) for name, table in data.items()}
    for named in ("wording", "notice", "source"):
        shown[named] = {key for table in data[named].values() for key in table}
    known = {name: set(fields_at(Config, (name,))) for name in keys_of(Config)}
    known["provider"] -= {"api_key", "webhook_secret"}  # a secret never stands in the file
    assert shown == known


def test_every_key_of_the_example_is_explained_in_its_section() -> None:
    text = (ROOT / "config.example.toml").read_text(encoding="utf-8")
    heads = [line for line in text.splitlines() if line.startswith("[")]
    assert heads
    assert all("#" in line for line in heads if not line.startswith("[source.b"))


# the environment and the secrets


def test_the_environment_overrides_the_file(home: Path) -> None:
    environ = {
        "TREUEPOST_PROVIDER__MAX_PER_MINUTE": "7",
        "TREUEPOST_SHOP__NAME": "Anders",
        "TREUEPOST_RULES__NEVER_TAGS": '["a", "b"]',
        "TREUEPOST_PROVIDER__DPA_SIGNED_AT": "2026-10-01",
        "TREUEPOST_STORE__URL": "postgresql://shop@db/treuepost",
    }
    config = _load(home, SMALL, environ)
    assert config.provider.max_per_minute == 7
    assert config.shop.name == "Anders"
    assert config.rules.never_tags == ("a", "b")
    assert config.provider.dpa_signed_at == date(2026, 10, 1)
    assert config.store.url == "postgresql://shop@db/treuepost"
    assert config.store.file is None


def test_the_environments_names_may_be_in_small_letters(home: Path) -> None:
    assert _load(home, SMALL, {"treuepost_shop__name": "Klein"}).shop.name == "Klein"


def test_a_wrong_value_in_the_environment_is_named_by_its_variable(home: Path) -> None:
    finding = _only(home, SMALL, {"TREUEPOST_PROVIDER__MAX_PER_MINUTE": "viel"})
    assert "TREUEPOST_PROVIDER__MAX_PER_MINUTE" in finding.message
    assert "a whole number" in finding.message


def test_a_misspelt_variable_is_named_with_the_key_that_was_meant(home: Path) -> None:
    finding = _only(home, SMALL, {"TREUEPOST_PROVIDER__APIKEY": "x"})
    assert finding.message == "the environment sets TREUEPOST_PROVIDER__APIKEY, which names no key of the config"
    assert finding.help == 'did you mean "api_key"?'


def test_the_key_comes_from_the_environment(home: Path) -> None:
    config = _load(home, REAL, KEY)
    assert config.provider.api_key is not None
    assert config.provider.api_key.get_secret_value() == "xkeysib-1"
    assert not config.rehearsal


def test_a_key_of_digits_stays_a_text(home: Path) -> None:
    config = _load(home, REAL, {"TREUEPOST_PROVIDER__API_KEY": "0123"})
    assert config.provider.api_key is not None
    assert config.provider.api_key.get_secret_value() == "0123"


def test_no_secret_is_ever_shown(home: Path) -> None:
    config = _load(home, REAL, KEY)
    assert "xkeysib" not in repr(config) + str(config) + config.model_dump_json()


def _secret(path: Path, mode: int, text: str = "geheim\n") -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_key_comes_from_a_file_of_its_own(home: Path) -> None:
    _secret(home / "provider.key", 0o600)
    config = _load(home, REAL + 'api_key_file = "provider.key"\n')
    assert config.provider.api_key is not None
    assert config.provider.api_key.get_secret_value() == "geheim"


def test_the_environment_goes_before_the_file(home: Path) -> None:
    _secret(home / "provider.key", 0o600)
    config = _load(home, REAL + 'api_key_file = "provider.key"\n', KEY)
    assert config.provider.api_key is not None
    assert config.provider.api_key.get_secret_value() == "xkeysib-1"


def test_the_key_comes_from_systemds_credentials(home: Path) -> None:
    _secret(home / "provider_api_key", 0o400)
    config = _load(home, REAL, {"CREDENTIALS_DIRECTORY": str(home)})
    assert config.provider.api_key is not None
    assert config.provider.api_key.get_secret_value() == "geheim"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o606])
def test_a_key_file_everybody_can_read_is_refused(home: Path, mode: int) -> None:
    _secret(home / "provider.key", mode)
    findings = _findings(home, REAL + 'api_key_file = "provider.key"\n')
    refused = next(finding for finding in findings if finding.code == "E112")
    assert (refused.line, refused.column) == (9, 16)
    assert refused.help == f"chmod 600 {home / 'provider.key'}"
    assert "geheim" not in str(findings)


def test_a_key_file_that_is_missing_or_empty_is_named(home: Path) -> None:
    assert "E113" in {finding.code for finding in _findings(home, REAL + 'api_key_file = "nowhere.key"\n')}
    _secret(home / "empty.key", 0o600, "\n")
    assert "E113" in {finding.code for finding in _findings(home, REAL + 'api_key_file = "empty.key"\n')}


@pytest.mark.parametrize("key", ["schlüssel", "a\u2011key", "\u201cgeheim\u201d", "a\nkey", "a\x00key", "geheim\u200b"])
@pytest.mark.parametrize("use", ["brevo", "resend", "postmark", "smtp"])
def test_a_key_no_header_can_hold_is_refused_and_not_shown(home: Path, use: str, key: str) -> None:
    _secret(home / "provider.key", 0o600, key)
    text = REAL.replace('"brevo"', f'"{use}"') + ('base_url = "smtp://a@b.de:587"\n' if use == "smtp" else "")
    finding = _only(home, text + 'api_key_file = "provider.key"\n')
    assert (finding.code, finding.level) == ("E105", "error")
    assert (finding.line, finding.column) == (10 if use == "smtp" else 9, 16)
    assert "ASCII" in finding.message
    assert key not in str(finding)


def test_such_a_key_in_the_environment_is_refused_too(home: Path) -> None:
    finding = _only(home, REAL, {"TREUEPOST_PROVIDER__API_KEY": "schlüssel"})
    assert (finding.code, finding.line) == ("E105", 6)
    assert "schlüssel" not in str(finding)


def test_such_a_key_is_refused_in_the_shops_language(home: Path) -> None:
    finding = _only(home, REAL.replace('"en"', '"de"'), {"TREUEPOST_PROVIDER__API_KEY": "schlüssel"})
    assert finding.message.startswith("der Schlüssel kann nicht stimmen")
    assert finding.help.startswith("kopieren Sie ihn noch einmal")


def test_a_password_may_have_spaces_in_it(home: Path) -> None:
    text = REAL.replace('"brevo"', '"smtp"') + 'base_url = "smtp://a@b.de:587"\n'
    assert _load(home, text, {"TREUEPOST_PROVIDER__API_KEY": "abcd efgh ijkl"}).provider.secret == "abcd efgh ijkl"


def test_a_byte_order_mark_is_no_part_of_the_key(home: Path) -> None:
    _secret(home / "provider.key", 0o600, "\ufeffgeheim\r\n")
    assert _load(home, REAL + 'api_key_file = "provider.key"\n').provider.secret == "geheim"


def test_a_secret_in_the_config_is_refused_even_beside_one_in_the_environment(home: Path) -> None:
    findings = _findings(home, REAL + 'api_key = "geheim"\n', KEY)
    (refused,) = [finding for finding in findings if finding.code == "E111"]
    assert refused.line == 9
    assert "TREUEPOST_PROVIDER__API_KEY" in refused.help
    assert "geheim" not in str(findings)
    with pytest.raises(Invalid):
        load_config(Path("config.toml"), KEY)


def test_a_password_in_an_address_of_the_config_is_refused(home: Path) -> None:
    finding = _only(home, SMALL + '[store]\nurl = "postgresql://shop:geheim@db/treuepost"\n')
    assert (finding.code, finding.line) == ("E111", 7)
    assert finding.help == "put the whole value into TREUEPOST_STORE__URL"
    assert "geheim" not in str(finding)


def test_a_password_in_an_address_of_the_environment_is_fine(home: Path) -> None:
    url = "postgresql://shop:geheim@db/treuepost"
    assert _load(home, SMALL, {"TREUEPOST_STORE__URL": url}).store.url == url


# a real provider


def test_a_real_provider_needs_a_key_and_a_sender(home: Path) -> None:
    findings = _findings(home, SMALL + '[provider]\nuse = "brevo"\n')
    assert [finding.message for finding in findings] == [
        'provider "brevo" needs a sender',
        'provider "brevo" needs a key',
    ]


def test_a_mail_server_needs_its_address(home: Path) -> None:
    finding = _only(home, REAL.replace("brevo", "smtp"))
    assert finding.message == 'provider "smtp" needs its server'
    config = _load(home, REAL.replace("brevo", "smtp") + 'base_url = "smtp://user@smtp.radhaus.shop:587"\n')
    assert not config.provider.on_loopback


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("smtp://localhost", "must begin with http://, https://"),
        ("ftp://x", "must begin with http://, https://"),
        ("https://", "must begin with http://, https://"),
        ("http://api.brevo.com", "the key would travel unencrypted"),
    ],
)
def test_an_address_that_cannot_be_the_providers_is_refused(home: Path, base_url: str, said: str) -> None:
    finding = _only(home, REAL + f'base_url = "{base_url}"\n', KEY)
    assert said in finding.message
    assert finding.line == 9


def test_a_double_on_this_machine_may_be_spoken_to_in_the_clear(home: Path) -> None:
    config = _load(home, REAL + 'base_url = "http://127.0.0.1:8099"\n', KEY)
    assert config.provider.on_loopback


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("Radhaus <post@radhaus.shop>", "Radhaus <hallo@example.com>", "provider.from"),
        ('"Lindenallee 4"', '"CHANGE_ME"', "shop.address"),
        ('"Lindenallee 4"', '"Musterstraße 1, 80331 München"', "shop.address"),
        ('name = "Radhaus"', 'name = "CHANGE ME Radhaus CHANGEME"', "shop.name"),
    ],
)
def test_a_placeholder_is_refused_before_real_mail(home: Path, old: str, new: str, key: str) -> None:
    finding = _only(home, REAL.replace(old, new), KEY)
    assert (finding.code, finding.level) == ("E110", "error")
    assert finding.message == f"`{key}` still holds the example's value"


def test_the_example_cannot_send_real_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(Invalid, match="noch den Wert aus dem Beispiel"):
        load_config(Path("config.example.toml"), {"TREUEPOST_PROVIDER__USE": "brevo", **KEY})


def test_a_placeholder_is_only_mentioned_while_rehearsing(home: Path) -> None:
    finding = _only(home, SMALL.replace("Lindenallee 4", "CHANGE_ME"))
    assert (finding.code, finding.level) == ("E110", "warning")
    assert _findings(home, SMALL.replace("Lindenallee 4", "Musterstraße 1")) == []


def test_what_the_law_wants_below_every_mail_is_warned_about(home: Path) -> None:
    findings = _findings(home, SMALL.replace('email = "a@radhaus.shop"', 'legal_form = "GmbH"'))
    assert {finding.level for finding in findings} == {"warning"}
    assert [finding.message.split("`")[1] for finding in findings] == [
        "shop.email",
        "shop.register_entry",
        "shop.represented_by",
    ]
    assert _findings(home, SMALL + 'legal_form = "GbR"\n') == []


# mistakes


@pytest.mark.parametrize(
    ("text", "code", "said", "line"),
    [
        ("[shop]\nname = 1\naddress = 'x'\n", "E104", "`shop.name`", 2),
        ('[shop]\nname = ""\naddress = "x"\n', "E105", "`shop.name`", 2),
        ('[shop]\nname = "a\\nBcc: x"\naddress = "x"\n', "E105", "`shop.name`", 2),
        (SMALL + 'timezone = "CET+1"\n', "E105", "no time zone", 6),
        (SMALL + 'timezone = "../../etc/passwd"\n', "E105", "no time zone", 6),
        (SMALL + '[owner]\nemail = "nobody"\n', "E105", "not an e-mail address", 7),
        (SMALL + '[owner]\nemail = "a@b.de, c@d.de"\n', "E105", "not an e-mail address", 7),
        (SMALL + 'url = "radhaus.shop"\n', "E105", "not a web address", 6),
        (SMALL + 'currency = "Euro"\n', "E105", "has not the right form", 6),
        (SMALL + 'address_form = "Du"\n', "E103", "is not one of the allowed values", 6),
        (SMALL + '[provider]\nuse = "mailgun"\n', "E103", "is not one of the allowed values", 7),
        (SMALL + '[provider]\nmax_per_minute = "60"\n', "E104", "it must be a whole number", 7),
        (SMALL + "[provider]\nmax_per_minute = 0\n", "E105", "0 is too small; at least 1", 7),
        (SMALL + "[provider]\nmax_per_day = 1e9\n", "E104", "a decimal number", 7),
        (SMALL + '[provider]\nfrom = "Rad\\r\\nBcc: x@y.de <a@b.de>"\n', "E105", "not an e-mail address", 7),
        (SMALL + '[store]\nurl = "mysql://x"\n', "E105", "has not the right form", 7),
        (SMALL + '[store]\nurl = "sqlite://"\n', "E105", "has not the right form", 7),
        (SMALL + '[store]\nurl = "sqlite:///nowhere/x.db"\n', "E113", "does not exist", 7),
        (SMALL + '[web]\nlisten = "8025"\n', "E105", "is not HOST:PORT", 7),
        (SMALL + '[web]\nlisten = "127.0.0.1:99999"\n', "E105", "is not HOST:PORT", 7),
        (SMALL + '[rules]\nquiet_hours = "20-8"\n', "E105", "is not a pair of times", 7),
        (SMALL + '[rules]\nat_most = ["often"]\n', "E105", "is not a limit", 7),
        (SMALL + '[rules]\npriority = ["a"]\n', "E108", "rules.priority is not in this version", 7),
        (SMALL + '[rules]\nwhen_crowded = "drop"\n', "E108", "rules.when_crowded is not in this version", 7),
        (SMALL + "[rules]\nconfirm_above = 0\n", "E105", "is too small", 7),
        (
            SMALL + '[source.s]\nfrom = "sql"\nfile = "x"\nwhat = "customers"\n',
            "E108",
            '"sql" is not in this version',
            7,
        ),
        (SMALL + '[source.s]\nfrom = "shopify"\nfile = "x"\nwhat = "customers"\n', "E108", '"shopify"', 7),
        (SMALL + '[source.s]\nfrom = "ftp"\nfile = "x"\nwhat = "customers"\n', "E103", '"ftp"', 7),
        (SMALL + '[source.s]\nfile = "x"\nwhat = "orders"\n', "E103", '"orders"', 8),
        (SMALL + '[wording.w]\nfile = "x"\nkinds = ["birtday"]\n', "E103", "is not a kind of mail", 8),
        (SMALL + "[shp]\n", "E101", "unknown key `shp`", 6),
        (SMALL + "at_most = 3\n", "E106", "at_most belongs below [rules]", 6),
        (SMALL + "[provider]\nuse = 'outbox'\nuse = 'smtp'\n", "E005", "in line 7 and in line 8", 8),
        ("", "E102", "diese Datei ist leer", 1),
        ('language = "en"\n', "E106", "language belongs below [shop]", 1),
    ],
)
def test_every_mistake_is_named_at_its_line(home: Path, text: str, code: str, said: str, line: int) -> None:
    findings = _findings(home, text)
    found = next((finding for finding in findings if finding.code == code), None)
    assert found is not None, [str(finding) for finding in findings]
    assert said in found.message
    assert found.line == line
    assert found.file == "config.toml"
    assert found.level == "error"


def test_an_unknown_time_zone_is_answered_with_a_near_one(home: Path) -> None:
    assert _only(home, SMALL + 'timezone = "Europe/Berln"\n').help == 'did you mean "Europe/Berlin"?'
    assert _only(home, SMALL + 'timezone = "Berlin"\n').help == 'did you mean "Europe/Berlin"?'
    assert _only(home, SMALL + 'timezone = "CET+1"\n').help == 'did you mean "CET"?'
    assert '"Europe/Vienna"' in _only(home, SMALL + 'timezone = "Mitteleuropa"\n').help


def test_a_missing_shop_is_asked_for(home: Path) -> None:
    finding = _only(home, '[owner]\nemail = "a@radhaus.shop"\n')
    assert finding.code == "E102"


def test_a_missing_wording_file_is_only_a_warning(home: Path) -> None:
    finding = _only(home, SMALL + '[wording.w]\nfile = "nowhere.txt"\nkinds = ["birthday"]\n')
    assert (finding.code, finding.level) == ("E113", "warning")


def test_mistakes_are_told_in_german_unless_the_shop_speaks_english(home: Path) -> None:
    text = SMALL.replace('language = "en"\n', "") + "foo = 1\n"
    assert _only(home, text).message == "unbekannter Schlüssel `foo`"
    assert _only(home, SMALL + "x = [\n").message.startswith("this is not TOML")


def test_a_config_in_latin_1_is_refused_with_its_line(home: Path) -> None:
    finding = _only(home, '[shop]\nname = "Bäckerei"\n'.encode("latin-1"))
    assert (finding.code, finding.line) == ("E002", 2)


def test_every_reserved_key_is_unknown_to_the_model() -> None:
    for path in RESERVED:
        assert path[-1] not in fields_at(Config, path[:-1])


# where it lies


def test_a_config_that_is_not_there_is_said_with_the_remedy(home: Path) -> None:
    with pytest.raises(Invalid) as invalid:
        load_config(Path("config.toml"), {})
    assert invalid.value.findings[0].code == "E001"
    assert "treuepost init" in invalid.value.hint


def test_a_folder_instead_of_a_config_is_refused(home: Path) -> None:
    (home / "config.toml").mkdir()
    with pytest.raises(Invalid):
        load_config(Path("config.toml"), {})


def test_what_webhooks_are_proved_with_comes_as_the_key_does(home: Path) -> None:
    _secret(home / "hook.key", 0o600)
    _secret(home / "provider_webhook_secret", 0o400)
    named = REAL + 'webhook_secret_file = "hook.key"\n'
    environ = KEY | {"TREUEPOST_PROVIDER__WEBHOOK_SECRET": "whsec_1"}
    for config, secret in (
        (_load(home, named, KEY), "geheim"),
        (_load(home, named, environ), "whsec_1"),
        (_load(home, REAL, KEY | {"CREDENTIALS_DIRECTORY": str(home)}), "geheim"),
    ):
        assert config.provider.webhook_secret is not None
        assert config.provider.webhook_secret.get_secret_value() == secret
        assert secret not in repr(config)
    (home / "hook.key").chmod(0o604)
    assert "E112" in {finding.code for finding in _findings(home, named, KEY)}
    assert "E111" in {finding.code for finding in _findings(home, REAL + 'webhook_secret = "geheim"\n', KEY)}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_config_that_may_not_be_read_is_refused(home: Path) -> None:
    (home / "config.toml").write_text(SMALL, encoding="utf-8")
    (home / "config.toml").chmod(0)
    with pytest.raises(Invalid, match="cannot read"):
        load_config(Path("config.toml"), {})


def test_the_config_is_looked_for_where_the_owner_says_and_then_where_owners_keep_it(home: Path) -> None:
    for name in ("named.toml", "variable.toml", "config.toml", "xdg/treuepost/config.toml"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(SMALL, encoding="utf-8")
    environ = {"TREUEPOST_CONFIG": str(home / "variable.toml"), "XDG_CONFIG_HOME": str(home / "xdg")}
    assert find_config(Path("named.toml"), environ) == Path("named.toml")
    assert find_config(None, environ) == home / "variable.toml"
    del environ["TREUEPOST_CONFIG"]
    assert find_config(None, environ) == Path("config.toml")
    (home / "config.toml").unlink()
    assert find_config(None, environ) == home / "xdg" / "treuepost" / "config.toml"


def test_a_named_config_that_is_not_there_is_not_replaced_by_another(home: Path) -> None:
    (home / "config.toml").write_text(SMALL, encoding="utf-8")
    with pytest.raises(Invalid):
        find_config(Path("other.toml"), {})


def test_the_store_lies_in_systemds_state_folder_unless_the_config_says_where(home: Path) -> None:
    state = {"STATE_DIRECTORY": "/var/lib"}
    assert _load(home, SMALL, state).store.url == "sqlite:////var/lib/treuepost.db"
    named = _load(home, SMALL + '[store]\nurl = "sqlite:///mine.db"\n', state)
    assert named.store.url == f"sqlite:///{home}/mine.db"


def test_an_absolute_store_stays_where_it_is(home: Path) -> None:
    config = _load(home, SMALL + f'[store]\nurl = "sqlite:///{home}/sub.db"\n')
    assert config.store.url == f"sqlite:///{home}/sub.db"


def test_every_table_of_the_config_refuses_unknown_keys() -> None:
    tables = [info.annotation for info in Config.model_fields.values()]
    models = [kind for kind in tables if isinstance(kind, type) and issubclass(kind, BaseModel)]
    assert models
    assert all(model.model_config["extra"] == "forbid" and model.model_config["frozen"] for model in models)


NOTICE = """
[notice.auftrag]
file = "hinweis.txt"
contact = "widerspruch@radhaus.shop"
shown_from = 2026-01-01
proof = "auftrag.pdf"
declared_by = "Petra Sommer"

[source.orders]
file = "orders.csv"
what = "purchases"
notice = "auftrag"
"""


@pytest.fixture
def notice(home: Path) -> Path:
    """Lay a notice and its proof beside the config."""
    (home / "hinweis.txt").write_text("Widerspruch jederzeit an\n  Widerspruch@radhaus.shop.", encoding="utf-8")
    (home / "auftrag.pdf").write_bytes(b"%PDF scan")
    return home


def test_a_notice_with_text_contact_proof_and_name_is_right(notice: Path) -> None:
    assert _findings(notice, SMALL + NOTICE) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "level"),
    [
        ("widerspruch@", "post@", "L207", "error"),
        ('proof = "auftrag.pdf"', "", "L208", "warning"),
        ('declared_by = "Petra Sommer"', "", "L208", "warning"),
        ("auftrag.pdf", "nowhere.pdf", "E113", "warning"),
        ("hinweis.txt", "nowhere.txt", "E113", "warning"),
        ("shown_from = 2026-01-01", "shown_from = 2026-01-02\nshown_until = 2026-01-01", "E109", "error"),
        ('notice = "auftrag"', 'notice = "kasse"', "E103", "error"),
        ('what = "purchases"', 'what = "customers"', "E109", "error"),
    ],
)
def test_d6_what_keeps_a_notice_from_counting_is_found(notice: Path, old: str, new: str, code: str, level: str) -> None:
    finding = _only(notice, SMALL + NOTICE.replace(old, new))
    assert (finding.code, finding.level) == (code, level)
