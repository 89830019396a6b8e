"""`treuepost wording print` and `treuepost consent request`, as they are typed; what `check` says of a wording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.store.database import Database
from tests.cli.typed import document, lay_out, make_folder, opened, typed
from tests.conftest import CONFIG
from tests.people import add_customer

PAGES = '\n[web]\npublic_url = "https://post.radhaus-sommer.example.com"\n'
NOTICE = '\n[notice.kasse]\nfile = "hinweis.txt"\ncontact = "laden@radhaus-sommer.example.com"\n'
HINT = "Sie können der Werbung jederzeit widersprechen: laden@radhaus-sommer.example.com."
TEXT = "Ja, Radhaus Sommer darf mir per E-Mail schreiben."


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "laden"
    make_folder(folder, config=CONFIG + PAGES + NOTICE)
    (folder / "hinweis.txt").write_text(HINT, encoding="utf-8")
    with opened(folder) as session:
        add_customer(session, "1", "anna@example.com", first_name="Anna", last_name="Meyer")
        add_customer(session, "2", None, first_name="Ben")
    return folder


def page(home: Path, *words: str) -> str:
    file = home / "druck.html"
    result = typed(home, "wording", "print", *words, "--out", str(file))
    assert result.exit_code == 0, result.output
    return file.read_text(encoding="utf-8")


# -- print -------------------------------------------------------------------------------------------------------------


def test_a_wording_is_printed_with_its_slip(home: Path) -> None:
    result = typed(home, "wording", "print", "newsletter-2015")
    assert result.exit_code == 0, result.output
    assert result.stdout.count(f"☐ {TEXT}") == 2
    assert re.search(r"Unterschrift: _+\n", result.stdout)
    assert re.search(r"Formular-Nr\.: _+\n", result.stdout)
    assert re.search(r"Text newsletter-2015, Fassung [0-9a-f]{12}", result.stdout)


def test_a_page_to_print_has_empty_boxes_and_says_the_same(home: Path) -> None:
    html = page(home, "newsletter-2015")
    assert html.count('<span class="tick"></span>') == 2
    assert html.count(TEXT) == 2
    assert "checked" not in html
    assert "http://" not in html
    assert "src=" not in html


def test_the_version_on_the_slip_is_the_one_the_store_keeps(home: Path) -> None:
    from engine.domain.registers import version

    typed(home, "tick")
    database = Database(f"sqlite:///{home / 'store.db'}")
    with database.read() as session:
        ((sha256, content),) = session.connection().exec_driver_sql("SELECT sha256, content FROM wording").all()
    database.close()
    assert sha256[:12] in typed(home, "wording", "print", "newsletter-2015").stdout
    import json

    assert version(json.loads(content))[0] == sha256


def test_a_notice_is_printed_as_its_text(home: Path) -> None:
    assert typed(home, "wording", "print", "kasse").stdout == f"{HINT}\n"
    assert HINT in page(home, "kasse")


@pytest.mark.parametrize("word", ["auftragsschein", "order-form"])
def test_the_order_form_has_the_hint_and_a_box(home: Path, word: str) -> None:
    said = typed(home, "wording", "print", word).stdout
    assert HINT in said
    assert f"☐ {TEXT}" in said


def test_a_shop_without_a_notice_gets_the_usual_hint(tmp_path: Path) -> None:
    folder = tmp_path / "laden"
    make_folder(folder)
    said = typed(folder, "wording", "print", "auftragsschein").stdout
    assert "Sie können dem jederzeit widersprechen – hier ☐ oder später an laden@radhaus-sommer.example.com" in said
    assert "Basistarifen" in said


@pytest.mark.parametrize("word", ["aushang", "poster"])
def test_the_poster_leads_to_the_sign_up_page(home: Path, word: str) -> None:
    html = page(home, word)
    assert "https://post.radhaus-sommer.example.com/anmelden/newsletter-2015" in html
    assert html.count("<svg") == 1
    assert "Fahrräder und Zubehör" in html


def test_the_code_on_the_poster_is_its_address(home: Path) -> None:
    import segno

    url = "https://post.radhaus-sommer.example.com/anmelden/newsletter-2015"
    path = re.search(r'<path[^>]* d="([^"]+)"', page(home, "poster"))
    assert path
    assert path[1] in segno.make(url, error="m", micro=False).svg_inline(border=2)


def test_a_poster_needs_pages_and_a_wording(tmp_path: Path) -> None:
    folder = tmp_path / "laden"
    make_folder(folder)
    result = typed(folder, "wording", "print", "poster")
    assert result.exit_code == 4
    assert "public_url" in result.stderr


def test_a_poster_for_an_unknown_wording_is_refused(home: Path) -> None:
    assert typed(home, "wording", "print", "poster", "--wording", "nowhere").exit_code == 2


@pytest.mark.parametrize("word", ["geburtstag", "birthday", "wartung", "feedback", "newsletter"])
def test_a_text_to_begin_with_is_one_that_check_finds_nothing_wrong_with(home: Path, word: str) -> None:
    text = typed(home, "wording", "print", word).stdout.splitlines()[0]
    (home / "wording.txt").write_text(text, encoding="utf-8")
    assert not [code for code in _codes(home) if code.startswith("L50")]


def test_an_unknown_text_is_answered_with_those_there_are(home: Path) -> None:
    result = typed(home, "wording", "print", "nowhere")
    assert result.exit_code == 7
    assert "newsletter-2015, kasse, poster, order-form, birthday" in result.stderr


def test_a_text_that_is_missing_is_not_printed(home: Path) -> None:
    (home / "wording.txt").unlink()
    assert typed(home, "wording", "print", "newsletter-2015").exit_code == 4
    (home / "hinweis.txt").unlink()
    assert typed(home, "wording", "print", "kasse").exit_code == 4


def test_a_page_that_cannot_be_written_is_told(home: Path) -> None:
    result = typed(home, "wording", "print", "kasse", "--out", str(home / "nowhere" / "x.html"))
    assert result.exit_code == 5


def test_json_has_the_text(home: Path) -> None:
    found = document(home, "wording", "print", "kasse")
    assert found == {"id": "kasse", "title": "Hinweis am E-Mail-Feld", "text": f"{HINT}\n", "file": None}


def test_what_stands_in_a_text_stays_letters(home: Path) -> None:
    (home / "wording.txt").write_text("<script>alert(1)</script> {{ 7*7 }} Radhaus Sommer beenden", encoding="utf-8")
    html = page(home, "newsletter-2015")
    assert "<script>" not in html
    assert "{{ 7*7 }}" in html


# -- request -----------------------------------------------------------------------------------------------------------

PAPER = ("--wording", "newsletter-2015", "--evidence", "Formular Nr. 17")


def test_b7_a_request_on_paper_is_passed_on_with_its_evidence(home: Path) -> None:
    result = typed(home, "consent", "request", "1", *PAPER)
    assert result.exit_code == 0, result.output
    assert "a***@example.com bekommt eine einzige Mail" in result.stdout
    assert "anna@" not in result.stdout
    typed(home, "tick")
    (mail,) = (home / "outbox").glob("*.eml")
    raw = mail.read_bytes()
    assert b"anna@example.com" in raw
    assert b"angegeben" in raw
    assert b"List-Unsubscribe" not in raw


def test_b7_a_machine_is_told_whether_it_was_queued(home: Path) -> None:
    assert document(home, "consent", "request", "new@example.com", *PAPER) == {
        "email": "new@example.com", "wording": "newsletter-2015", "queued": True, "reason": None,
    }  # fmt: skip
    again = typed(home, "consent", "request", "new@example.com", *PAPER, "--json")
    assert again.exit_code == 1
    assert '"reason": "too_many"' in again.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("1", "--wording", "newsletter-2015"), 2),
        (("1", "--wording", "newsletter-2015", "--evidence", " "), 2),
        (("1", "--wording", "nowhere", "--evidence", "x"), 2),
        (("2", *PAPER), 2),
        (("9", *PAPER), 7),
        (("a@example.com,b@example.com", *PAPER), 2),
        (("liste.csv", *PAPER), 7),
    ],
)
def test_b7_without_evidence_and_for_lists_there_is_no_mail(home: Path, words: tuple[str, ...], code: int) -> None:
    assert typed(home, "consent", "request", *words).exit_code == code


def test_b7_an_import_asks_nobody(home: Path) -> None:
    assert typed(home, "import", "customers", "x.csv", "--send-doi").exit_code == 2


def test_a_blocked_address_is_told_to_the_owner(home: Path) -> None:
    typed(home, "suppress", "add", "anna@example.com", "--because", "x")
    result = typed(home, "consent", "request", "1", *PAPER)
    assert result.exit_code == 1
    assert "a***@example.com bekommt keine Mail" in result.stderr


# -- check -------------------------------------------------------------------------------------------------------------


def _codes(home: Path) -> list[str]:
    return re.findall(r"\[(L5\d\d)\]", typed(home, "check").stderr)


def test_b2_a_good_wording_is_found_good(home: Path) -> None:
    assert _codes(home) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [("Ich will Post. Widerruf jederzeit.", "L502"), ("Radhaus Sommer darf mir schreiben.", "L503")],
)
def test_b2_a_text_has_to_name_the_firm_and_the_way_out(home: Path, text: str, code: str) -> None:
    (home / "wording.txt").write_text(text, encoding="utf-8")
    assert _codes(home) == [code]


def test_b2_a_wording_has_to_say_what_it_is_about(tmp_path: Path) -> None:
    folder = tmp_path / "laden"
    make_folder(folder, config=CONFIG.replace('product_scope = "Fahrräder und Zubehör"\n', ""))
    assert _codes(folder) == ["L501"]


def test_b6_a_scope_that_sells_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "laden"
    make_folder(folder, config=CONFIG.replace("Fahrräder und Zubehör", "15 % Rabatt"))
    result = typed(folder, "check")
    assert result.exit_code == 4
    assert "L505" in result.stderr


def test_a_text_that_was_edited_under_its_id_is_told_until_it_is_kept(home: Path) -> None:
    typed(home, "tick")
    (home / "wording.txt").write_text("Radhaus Sommer darf mehr. Widerruf jederzeit.", encoding="utf-8")
    assert _codes(home) == ["L504"]
    typed(home, "tick")
    assert _codes(home) == []


@pytest.mark.parametrize("key", ["confirm_within", "requests"])
def test_b9_b10_nothing_lives_longer_than_two_weeks(tmp_path: Path, key: str) -> None:
    folder = tmp_path / "laden"
    make_folder(folder, config=CONFIG + f'\n[privacy]\n{key} = "15 days"\n')
    result = typed(folder, "check")
    assert result.exit_code == 4
    assert "E105" in result.stderr


def test_init_says_what_its_wording_is_about(tmp_path: Path) -> None:
    home = lay_out(tmp_path / "x")
    assert home.is_dir()
    folder = tmp_path / "neu"
    words = ("init", str(folder), "--yes", "--name", "Heizung Huber", "--address", "Weg 1, 80331 München")
    text = "Ja, Heizung Huber darf mir schreiben. Widerruf jederzeit."
    result = typed(home, *words, "--trade", "plumbing", "--wording", text)
    assert result.exit_code == 0, result.output
    assert 'product_scope = "Heizung, Sanitär und Wartung"' in (folder / "config.toml").read_text(encoding="utf-8")


def test_of_an_unknown_text_the_known_ones_are_named_once(home: Path) -> None:
    named = typed(home, "wording", "print", "nowhere").stderr.split("There are: ")[1].strip().rstrip(".").split(", ")
    assert "auftragsschein" in named or "order-form" in named
    assert len(named) == len(set(named))
