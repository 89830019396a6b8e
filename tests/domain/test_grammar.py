"""The campaign language: what it reads, what it refuses, and that a date can be found from either side."""

from __future__ import annotations

from datetime import date, time, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.grammar import EVERY_DAY, Cap, GrammarError, Span, UsualInterval, Weekdays, When, Window

unhurried = settings(deadline=None)
days = st.dates(date(1990, 1, 1), date(2060, 12, 31))
spans = st.builds(Span, st.integers(0, 400), st.sampled_from(["days", "weeks"])) | st.builds(
    Span, st.integers(0, 60), st.sampled_from(["months", "years"])
)
whens = st.builds(When, spans, st.sampled_from(["before", "after"])) | st.just(When(None, "on"))


@unhurried
@given(days, spans)
def test_days_and_weeks_go_there_and_back(day: date, span: Span) -> None:
    if span.unit in {"days", "weeks"}:
        assert span.before(span.after(day)) == day


@unhurried
@given(days, spans)
def test_months_and_years_come_back_to_the_day_or_to_the_month_end_that_swallowed_it(day: date, span: Span) -> None:
    back = span.before(span.after(day))
    assert timedelta(0) <= day - back <= timedelta(days=3)
    if day.day <= 28:
        assert back == day


@unhurried
@given(days, spans)
def test_a_later_day_is_never_due_earlier(day: date, span: Span) -> None:
    assert span.after(day) <= span.after(day + timedelta(days=1))
    assert span.before(day) <= span.before(day + timedelta(days=1))


def test_the_end_of_january_and_a_month_is_the_end_of_february() -> None:
    month = Span.parse("1 month")
    assert month.after(date(2027, 1, 31)) == date(2027, 2, 28)
    assert month.after(date(2028, 1, 31)) == date(2028, 2, 29)


def test_a_year_after_29_february_is_28_february() -> None:
    assert Span.parse("1 year").after(date(2028, 2, 29)) == date(2029, 2, 28)
    assert Span.parse("4 years").after(date(2028, 2, 29)) == date(2032, 2, 29)


@unhurried
@given(spans | st.builds(Span, st.integers(0, 8784), st.just("hours")))
def test_a_span_written_out_reads_as_itself(span: Span) -> None:
    assert Span.parse(str(span)) == span


@unhurried
@given(whens)
def test_a_date_around_the_day_written_out_reads_as_itself(when: When) -> None:
    assert When.parse(str(when)) == when


@unhurried
@given(st.sets(st.integers(0, 6), min_size=1))
def test_weekdays_written_out_read_as_themselves(members: set[int]) -> None:
    assert Weekdays.parse(str(Weekdays(members))) == members


@unhurried
@given(
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_a_window_and_what_it_leaves_out_make_the_whole_day(start: time, end: time) -> None:
    if start == end:
        return
    window, rest = Window.parse(f"{start:%H:%M}-{end:%H:%M}"), Window.parse(f"{end:%H:%M}-{start:%H:%M}")
    for minute in range(0, 24 * 60, 7):
        moment = time(minute // 60, minute % 60)
        assert (moment in window) != (moment in rest)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("3 days", Span(3, "days")),
        ("1 day", Span(1, "days")),
        ("0 days", Span(0, "days")),
        ("2 weeks", Span(2, "weeks")),
        ("12 months", Span(12, "months")),
        ("1 year", Span(1, "years")),
        (" 2  hours ", Span(2, "hours")),
    ],
)
def test_spans_are_read(text: str, span: Span) -> None:
    assert Span.parse(text) == span


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a length of time"),
        ("-3 days", "not a length of time"),
        ("3", "not a length of time"),
        ("3days", "not a length of time"),
        ("three days", "not a length of time"),
        ("1.5 days", "not a length of time"),
        ("٣ days", "not a length of time"),
        ("3 Tage", 'write the unit as "days"'),
        ("3 Days", 'write the unit as "days"'),
        ("2 h", 'write the unit as "hours"'),
        ("3 fortnights", "the unit is one of hours, days, weeks, months, years"),
        ("9" * 9 + " days", "at most 36500 days"),
        ("9" * 5000 + " days", "not a length of time"),
        ("3 days\x00", r"not a length of time"),
    ],
)
def test_what_is_no_span_is_refused_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(GrammarError, match=said) as refused:
        Span.parse(text)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("on the day", When(None, "on")),
        ("3 days before", When(Span(3, "days"), "before")),
        ("1 day after", When(Span(1, "days"), "after")),
        ("2 hours after", When(Span(2, "hours"), "after")),
    ],
)
def test_dates_around_the_day_are_read(text: str, when: When) -> None:
    assert When.parse(text) == when


@pytest.mark.parametrize("text", ["", "before", "3 days", "3 days ago", "on that day", "2 hours before", "soon after"])
def test_what_is_no_date_around_the_day_is_refused(text: str) -> None:
    with pytest.raises(GrammarError):
        When.parse(text)


def test_the_usual_interval_is_rounded_up() -> None:
    half = UsualInterval.parse("2.5 x usual interval")
    assert half.factor == Fraction(5, 2)
    assert half.days(41) == 103
    assert UsualInterval.parse("1.1 x usual interval").days(10) == 11
    assert str(half) == "2.5 x usual interval"


@pytest.mark.parametrize(
    "text", ["0 x usual interval", "2,5 x usual interval", "x usual interval", "2.5 usual", "nan x usual interval"]
)
def test_what_is_no_multiple_of_the_usual_interval_is_refused(text: str) -> None:
    with pytest.raises(GrammarError, match=r"2\.5 x usual interval"):
        UsualInterval.parse(text)


def test_caps_are_read() -> None:
    assert Cap.parse("1 per 30 days") == Cap(1, Span(30, "days"))
    assert Cap.parse("4 per month") == Cap(4, Span(1, "months"))
    assert str(Cap.parse("1 per day")) == "1 per 1 day"


@pytest.mark.parametrize(
    "text", ["", "0 per 30 days", "1 per", "1 per 0 days", "1 per 24 hours", "-1 per 3 days", "1/30 days"]
)
def test_what_is_no_cap_is_refused(text: str) -> None:
    with pytest.raises(GrammarError):
        Cap.parse(text)


def test_a_window_holds_its_start_and_not_its_end() -> None:
    window = Window.parse("09:00-18:00")
    assert time(9) in window
    assert time(17, 59, 59) in window
    assert time(18) not in window
    assert time(8, 59) not in window


def test_a_window_may_pass_midnight() -> None:
    night = Window.parse("20:00-08:00")
    assert night.passes_midnight
    assert time(23) in night
    assert time(7, 59) in night
    assert time(8) not in night
    assert time(12) not in night


def test_a_window_may_end_with_the_day_or_be_the_whole_of_it() -> None:
    evening, always = Window.parse("18:00-24:00"), Window.parse("00:00-24:00")
    assert time(23, 59) in evening
    assert time(0) not in evening
    assert not evening.passes_midnight
    assert str(evening) == "18:00-24:00"
    assert always.is_whole_day
    assert time(0) in always


@pytest.mark.parametrize(
    "text",
    ["25:00-26:00", "09:60-10:00", "09:00", "9-18", "09:00-09:00", "24:00-09:00", "09:00 to 18:00", "", "24:00-24:00"],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(GrammarError):
        Window.parse(text)


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("Mon-Sat", {0, 1, 2, 3, 4, 5}),
        ("Mon,Wed, Fri", {0, 2, 4}),
        ("Sat-Mon", {5, 6, 0}),
        ("Sun", {6}),
        ("Mon-Sun", set(EVERY_DAY)),
        ("Mon-Tue,Thu", {0, 1, 3}),
    ],
)
def test_weekdays_are_read(text: str, members: set[int]) -> None:
    assert Weekdays.parse(text) == members


@pytest.mark.parametrize("text", ["", "Mo-Sa", "Mon-", "-Mon", "Mon;Tue", "Montag", "monday", "Mon--Wed"])
def test_what_are_no_weekdays_is_refused(text: str) -> None:
    with pytest.raises(GrammarError, match="Mon, Tue, Wed, Thu, Fri, Sat, Sun"):
        Weekdays.parse(text)


@pytest.mark.parametrize(
    ("value", "german", "english"),
    [
        (Span.parse("1 day"), "1 Tag", "1 day"),
        (Span.parse("2 weeks"), "2 Wochen", "2 weeks"),
        (When.parse("3 days before"), "3 Tage vorher", "3 days before"),
        (When.parse("on the day"), "am Tag selbst", "on the day"),
        (
            UsualInterval.parse("2.5 x usual interval"),
            "das 2,5-fache des üblichen Abstands",
            "2.5 times the usual interval",
        ),
        (Cap.parse("1 per 30 days"), "höchstens 1 Mail in 30 Tagen", "at most 1 mail in 30 days"),
        (Cap.parse("2 per week"), "höchstens 2 Mails in einer Woche", "at most 2 mails in 1 week"),
        (Cap.parse("1 per month"), "höchstens 1 Mail in einem Monat", "at most 1 mail in 1 month"),
        (Window.parse("09:00-24:00"), "von 09:00 bis 24:00 Uhr", "from 09:00 to 24:00"),
        (Weekdays.parse("Mon-Sat"), "Montag bis Samstag", "Monday to Saturday"),
        (Weekdays.parse("Mon,Wed"), "Montag, Mittwoch", "Monday, Wednesday"),
        (EVERY_DAY, "täglich", "every day"),
    ],
)
def test_every_value_can_be_said_back(
    value: Span | When | UsualInterval | Cap | Window | Weekdays, german: str, english: str
) -> None:
    assert value.words("de") == german
    assert value.words("en") == english


def test_what_counts_hours_does_not_count_days() -> None:
    with pytest.raises(ValueError, match="from an instant"):
        Span.parse("2 hours").after(date(2026, 1, 1))
    with pytest.raises(ValueError, match="local days"):
        _ = Span.parse("2 days").hours
    assert Span.parse("2 hours").hours == timedelta(hours=2)
    assert When.parse("2 hours after").is_hours


def test_a_control_character_is_shown_and_never_printed() -> None:
    with pytest.raises(GrammarError) as refused:
        Span.parse("3 days\x1b[31m")
    assert "\\x1b" in str(refused.value)
    assert "\x1b" not in str(refused.value)
