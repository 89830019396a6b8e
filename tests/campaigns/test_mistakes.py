"""Every mistake in a campaign file is named at its place, with what is allowed and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Finding
from tests.campaigns.files import BIRTHDAY, MESSAGE, SERVICE, examine


def _only(folder: Path, text: str | bytes, language: str = "en") -> Finding:
    """Return the one error in a file."""
    campaigns, findings = examine(folder, text, language=language)
    errors = [finding for finding in findings if finding.level == "error"]
    assert len(errors) == 1, [str(finding) for finding in findings]
    assert campaigns == ()
    return errors[0]


def _place(finding: Finding) -> tuple[int, int, int]:
    return finding.line, finding.column, finding.length


def test_an_unknown_key_is_named_with_the_key_that_was_meant(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace("subject", "subjekt"))
    assert finding.code == "E101"
    assert finding.place == "campaigns/a.toml:6:1"
    assert finding.message == "unknown key `subjekt`"
    assert finding.help == 'did you mean "subject"?'


def test_an_unknown_key_that_resembles_nothing_is_answered_with_what_is_allowed(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY + "[send]\nwhither = 1\n")
    assert finding.help == "allowed here: between, days, max_late"


def test_a_top_key_below_a_table_is_recognised(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace("[message]", 'advertises = ["a"]\n[message]'))
    assert finding.code == "E106"
    assert finding.message == "advertises stands below [trigger] and so belongs to it"
    assert finding.help == "move the line up, before the first line with a [bracket]"
    assert _place(finding) == (5, 1, 10)


def test_a_key_of_another_table_is_sent_home(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY + '[limit]\nbetween = "09:00-18:00"\n')
    assert (finding.code, finding.message) == ("E106", "between belongs below [send]")


def test_columns_count_characters_and_not_bytes(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace("[message]", 'when = "ä"   # Ü\n[message]'))
    assert _place(finding) == (5, 8, 3)
    inline = BIRTHDAY.replace('subject = "Hallo"', 'subject = { de = "Öl für Ölöfen", fr = "x" }')
    assert _place(_only(folder, inline)) == (6, 11, 34)


def test_the_same_id_in_two_files_names_both_places(folder: Path) -> None:
    campaigns, findings = examine(folder, SERVICE, BIRTHDAY.replace("gruss", "wartung"))
    assert [finding.code for finding in findings] == ["E107"]
    assert findings[0].message == 'id = "wartung" stands in campaigns/a.toml:2 and in campaigns/b.toml:1'
    assert findings[0].help == "every file needs an id of its own"
    assert len(campaigns) == 2


def test_the_same_id_is_found_even_where_the_other_file_has_another_mistake(folder: Path) -> None:
    _, findings = examine(folder, SERVICE + "foo = 1\n", BIRTHDAY.replace("gruss", "wartung"))
    assert {finding.code for finding in findings} == {"E101", "E107"}


def test_a_missing_kind_is_asked_for_in_the_words_of_its_trigger(folder: Path) -> None:
    finding = _only(folder, SERVICE.replace('kind = "service_reminder"\n', ""))
    assert finding.code == "L101"
    assert "contract_appointment" in finding.help
    assert "service_reminder" in finding.help
    assert _only(folder, BIRTHDAY.replace('kind = "birthday"\n', "")).help == 'kind = "birthday"'


def test_a_kind_that_is_none_is_answered_with_the_closed_list(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace('kind = "birthday"', 'kind = "birtday"'))
    assert finding.code == "E103"
    assert finding.help.startswith('did you mean "birthday"?')
    assert "contract_appointment" in finding.help


def test_the_legal_class_cannot_be_set(folder: Path) -> None:
    finding = _only(folder, 'class = "transactional"\n' + BIRTHDAY)
    assert (finding.code, finding.message) == ("E101", "unknown key `class`")


def test_an_unknown_trigger_is_pointed_at(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace('on = "birthday"', 'on = "birtday"'))
    assert finding.code == "E103"
    assert _place(finding) == (4, 6, 9)
    assert finding.help.startswith('did you mean "birthday"?')


def test_a_trigger_without_its_word_is_told_the_words(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace('on = "birthday"', 'when = "on the day"'))
    assert "`on` is missing" in finding.message
    assert '"service_due"' in finding.help


@pytest.mark.parametrize(
    "trigger", ["nth_purchase", "anniversary", "date", "consent_confirmed", "survey_answer", "visit_done"]
)
def test_a_trigger_of_a_later_version_says_so(folder: Path, trigger: str) -> None:
    finding = _only(folder, BIRTHDAY.replace('on = "birthday"', f'on = "{trigger}"\nn = 10'))
    assert (finding.code, finding.message) == ("E108", f'"{trigger}" is not in this version')


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[coupon]\ngives = "15 %"\n', "[coupon]"),
        ('[measure]\nholdout = "10 %"\n', "[measure]"),
        ('[survey]\ntype = "nps"\n', "[survey]"),
        ('[send]\nnot_on = "public holidays"\n', "send.not_on"),
    ],
)
def test_a_table_of_a_later_version_says_so(folder: Path, text: str, name: str) -> None:
    finding = _only(folder, BIRTHDAY + text)
    assert (finding.code, finding.message) == ("E108", f"{name} is not in this version")


@pytest.mark.parametrize(
    ("table", "line", "said"),
    [
        ("audience", 'min_purchases = "3"', "`audience.min_purchases`: this is a text; it must be a whole number"),
        ("audience", "min_purchases = nan", "this is a decimal number; it must be a whole number"),
        ("audience", "min_purchases = 1.0", "this is a decimal number; it must be a whole number"),
        ("audience", "min_purchases = true", "this is true or false; it must be a whole number"),
        ("audience", "min_purchases = -1", "-1 is too small; at least 0"),
        ("audience", "min_purchases = 1000000000", "1000000000 is too large; at most 1000000"),
        ("audience", 'tags_any = "vip"', "this is a text; it must be a list in [brackets]"),
        ("audience", "tags_all = [1]", "this is a number; it must be text in quotes"),
        ("start", 'from = "2026-12-01"', "this is a text; it must be a date like 2026-12-01, without quotes"),
        ("start", "from = 2026-12-01T09:00:00", "it must be a date like 2026-12-01"),
        ("start", "per_day = 0", "0 is too small; at least 1"),
        ("start", 'backlog = "-3 days"', '"-3 days" is not a length of time'),
        ("start", 'backlog = "12 hours"', "this counts whole days, not hours"),
        ("start", "backlog = 3", "this is a number; it must be text in quotes"),
        ("send", 'between = "25:00-26:00"', "there is no 25:00 o'clock"),
        ("send", 'between = "9 bis 18"', "is not a pair of times"),
        ("send", 'days = "Mo-Sa"', "is not a list of weekdays"),
        ("send", 'max_late = "3 Tage"', 'write the unit as "days"'),
        ("send", 'max_late = "2 hours"', "this counts whole days, not hours"),
        ("limit", 'at_most = "einmal"', "is not a limit"),
        ("limit", 'at_most = ["1 per 30 days"]', "this is a list; it must be text in quotes"),
        ("stop", 'on = ["unsubscribe"]', '"unsubscribe" is not one of the allowed values'),
    ],
)
def test_a_wrong_value_is_told_its_place_and_what_is_allowed(folder: Path, table: str, line: str, said: str) -> None:
    finding = _only(folder, f"{BIRTHDAY}[{table}]\n{line}\n")
    assert said in finding.message
    assert finding.line == 9
    assert finding.column >= line.index("=") + 3
    assert line.split(" ", maxsplit=1)[0] in finding.message


@pytest.mark.parametrize("value", ["true", "1", '["a"]', "{ a = 1 }", "2026-01-01"])
def test_an_id_is_a_text(folder: Path, value: str) -> None:
    assert _only(folder, BIRTHDAY.replace('"gruss"', value)).code == "E104"


@pytest.mark.parametrize("name", ["", "Grüße", "a b", "../x", "A", "a" * 65, "a\\u0000"])
def test_an_id_is_a_short_plain_word(folder: Path, name: str) -> None:
    finding = _only(folder, BIRTHDAY.replace("gruss", name))
    assert "is no id: small letters, digits, - and _" in finding.message


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\\\\b", "C:\\\\x", "x\\u0000", "birthday.html", "a//b", "a/", "Ö", ""]
)
def test_a_template_is_a_plain_name_within_its_folder(folder: Path, name: str) -> None:
    finding = _only(folder, BIRTHDAY.replace('body = "Guten Tag"', f'template = "{name}"'))
    assert "is no template name" in finding.message
    assert finding.line == 7


def test_a_template_may_lie_in_a_folder_of_its_own(folder: Path) -> None:
    campaigns, findings = examine(folder, BIRTHDAY.replace('body = "Guten Tag"', 'template = "2026/birth-day_1"'))
    assert findings == []
    assert campaigns[0].steps[0].message.template == "2026/birth-day_1"


def test_a_key_twice_names_both_lines(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY + 'subject = "Noch einmal"\n')
    assert finding.code == "E005"
    assert finding.message == "`message.subject` stands twice: in line 6 and in line 8"
    assert finding.line == 8


def test_a_table_twice_names_both_lines(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY + '[trigger]\non = "lapsed"\n')
    assert finding.message == "`trigger` stands twice: in line 3 and in line 8"


def test_a_byte_order_mark_is_overlooked(folder: Path) -> None:
    campaigns, findings = examine(folder, b"\xef\xbb\xbf" + BIRTHDAY.encode())
    assert findings == []
    assert campaigns[0].id == "gruss"


def test_windows_line_ends_are_read(folder: Path) -> None:
    campaigns, findings = examine(folder, BIRTHDAY.replace("\n", "\r\n").encode())
    assert findings == []
    assert len(campaigns) == 1


def test_latin_1_is_refused_with_its_line(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace("Guten Tag", "Schöne Grüße").encode("latin-1"))
    assert finding.code == "E002"
    assert finding.message == "line 7 is not UTF-8"
    assert _place(finding)[:2] == (7, 12)
    assert "Windows-1252" in finding.help


def test_utf_16_is_refused(folder: Path) -> None:
    assert _only(folder, BIRTHDAY.encode("utf-16")).message == "this file is UTF-16; save it as UTF-8"


@pytest.mark.parametrize("bracket", ["[", "{a="])
def test_brackets_nested_5000_deep_are_refused_at_their_line(folder: Path, bracket: str) -> None:
    finding = _only(folder, f'id = "a"\nx = {bracket * 5000}\n')
    assert (finding.code, finding.line) == ("E006", 2)
    assert "nested too deeply" in finding.message


def test_a_number_of_5000_digits_is_refused_at_its_place(folder: Path) -> None:
    finding = _only(folder, 'id = "a"\nx = ' + "1" * 5000)
    assert (finding.code, finding.line, finding.column) == ("E006", 2, 5)


def test_a_number_too_large_for_any_field_is_shown_shortened(folder: Path) -> None:
    finding = _only(folder, f"{BIRTHDAY}[audience]\nmin_purchases = {'9' * 400}\n")
    assert len(finding.message) < 120


@pytest.mark.parametrize(
    ("line", "said", "remedy", "column"),
    [
        ("käse = 1", "`käse` needs quotes", '"käse" = …', 1),
        ("x = { größe = 1 }", "`größe` needs quotes", '"größe" = …', 7),
        ("[käse]", "`käse` needs quotes", '"käse" = …', 2),
        ("name = „Hallo“", "typographic quotes", 'write "…" instead of „…“', 8),
        ("name = Hallo Welt", "text stands in quotes", '"Hallo Welt"', 8),
        ("enabled = ja", "true and false, in small letters", "true", 11),
        ("enabled = True", "true and false, in small letters", "true", 11),
        ("name = 01.12.2026", "a date is written year-month-day", "2026-12-01", 8),
        ('name = "C:\\Users"', "a backslash in quotes", "write / instead, or put the text in '…'", 0),
        ('name = "Hallo', "line break or a control character", '"""', 0),
        ("name =", "this is not TOML", "", 0),
        ("[name", "this is not TOML", "", 0),
        ("name", "this is not TOML", "", 0),
    ],
)
def test_a_slip_in_writing_toml_is_told_its_remedy(
    folder: Path, line: str, said: str, remedy: str, column: int
) -> None:
    finding = _only(folder, f'id = "a"\n{line}\n{MESSAGE}')
    assert finding.code == "E004"
    assert said in finding.message
    assert remedy in finding.help
    assert finding.line == 2
    assert column in {0, finding.column}


@pytest.mark.parametrize("text", ["", "\n\n", "# nur ein Kommentar\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_said_to_be_empty(folder: Path, text: str | bytes) -> None:
    assert _only(folder, text).message == "this file is empty"


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "a.toml").mkdir()
    _, findings = examine(folder)
    assert findings[0].code == "E001"
    assert findings[0].place == "campaigns/a.toml"


def test_a_file_far_too_large_is_not_read(folder: Path) -> None:
    assert "larger than 1 MB" in _only(folder, b"#" * 1_100_000).message


def test_a_broken_link_is_named(folder: Path) -> None:
    (folder / "a.toml").symlink_to("nowhere.toml")
    _, findings = examine(folder)
    assert findings[0].code == "E001"


def test_what_an_editor_leaves_behind_is_no_campaign(folder: Path) -> None:
    for name in (".a.toml", "#a.toml", "a.toml~", "a.toml.swp"):
        (folder / name).write_text("broken", encoding="utf-8")
    assert examine(folder) == ((), [])


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = BIRTHDAY.replace('kind = "birthday"', 'kind = "birtday"\nfoo = 1').replace("subject", "subjekt")
    _, findings = examine(folder, text)
    assert [finding.line for finding in findings] == [2, 3, 7]


def test_a_misspelt_table_is_not_also_called_missing(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace("[trigger]", "[triger]"))
    assert finding.help == 'did you mean "trigger"?'


def test_blanks_in_a_key_are_seen(folder: Path) -> None:
    finding = _only(folder, '"name " = "Gruß"\n' + BIRTHDAY)
    assert finding.help == "remove the blanks around the key"


def test_mistakes_are_told_in_the_language_of_the_shop(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY + '[send]\nmax_late = "3 Tage"\n', language="de")
    assert finding.message == '`send.max_late`: "3 Tage": schreiben Sie die Einheit als "days"'
    below = _only(folder, BIRTHDAY.replace("[message]", "enabled = true\n[message]"), language="de")
    assert below.message == "enabled steht unter [trigger] und gehört deshalb dorthin"
    assert below.help == "setzen Sie die Zeile nach oben, vor die erste [Klammer]-Zeile"


def test_an_injection_in_a_tag_is_only_a_tag(folder: Path) -> None:
    campaigns, findings = examine(folder, f'{BIRTHDAY}[audience]\ntags_any = ["1=1; DROP TABLE", "\'; --"]\n')
    assert findings == []
    assert campaigns[0].audience.tags_any == ("1=1; drop table", "'; --")


def test_a_filter_in_free_sql_is_no_key(folder: Path) -> None:
    assert _only(folder, f'{BIRTHDAY}[audience]\nwhere = "1=1; DROP TABLE customer"\n').code == "E101"


def test_a_template_with_its_ending_is_told_its_name(folder: Path) -> None:
    finding = _only(folder, BIRTHDAY.replace('body = "Guten Tag"', 'template = "winback-1.html"'))
    assert finding.help == 'write for example "winback-1", without .html'
