"""Templates can do nothing but write a letter; whatever else they try is refused when they are loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import Invalid, TemplateError
from engine.rendering import samples
from engine.rendering.context import VisitView
from tests.rendering.premises import FIRST_LINE, body, letter, open_shop

ATTACKS = [
    "{{ ''.__class__.__mro__ }}",
    "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "{{ customer.__class__ }}",
    "{{ customer['__class__'] }}",
    "{{ customer.first_name.format(1) }}",
    "{{ customer.first_name.__class__ }}",
    "{{ customer | attr('__class__') }}",
    "{{ [customer] | map(attribute='__class__') | list }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner.__init__.__globals__.os }}",
    "{{ namespace.__init__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ lipsum(100000) }}",
    "{{ range(1000000000) | list }}",
    "{% for x in range(1000000000) %}x{% endfor %}",
    "{{ request.application }}",
    "{{ config.items() }}",
    "{{ get_flashed_messages() }}",
    "{{ url_for.__globals__ }}",
    "{{ dict(a=1) }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 10 ** 1000000000 }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ '%0999999999d' | format(1) }}",
    "{{ 'a' ~ 'b' }}",
    "{% set x %}{{ greeting }}{{ greeting }}{% endset %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ greeting | safe }}",
    "{{ greeting | tojson }}",
    "{{ greeting | pprint }}",
    "{{ greeting | replace('a', 'aaaaaaaa') }}",
    "{{ customer.first_name | web_link }}",
    "{% autoescape false %}{{ greeting }}{% endautoescape %}",
    "{% filter upper %}{{ greeting }}{% endfilter %}",
    "{% import 'os' as os %}",
    "{% include greeting %}",
    "{% include '../../config.toml' %}",
    "{% set customer = 1 %}",
    "{{ caller() }}",
    "{{ varargs }}",
    "{{ customer }}",
    "{{ customer.tags }}",
    "{{ items[0:1] }}",
    "{{ {'a': 1} }}",
    "{{ mail.__class__ }}",
    "{{ mail.reason }}",
    "{{ loop }}",
    "{{ debug }}",
    "{% for a in customer.tags recursive %}{{ loop(a) }}{% endfor %}",
    "{% for a in 'abc' %}{{ a }}{% endfor %}",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_when_it_is_loaded(tmp_path: Path, attack: str) -> None:
    with pytest.raises(Invalid) as refused:
        open_shop(tmp_path, letter(body(attack).replace("\\", "\\\\")))
    finding = refused.value.findings[0]
    assert finding.file.endswith("one.toml")
    assert finding.line == FIRST_LINE


def test_three_loops_within_each_other_are_refused(tmp_path: Path) -> None:
    loops = "{% for a in items %}{% for b in items %}{% for c in items %}x{% endfor %}{% endfor %}{% endfor %}"
    with pytest.raises(Invalid, match="zwei tief"):
        open_shop(tmp_path, letter(body(loops), "service_due"))


@pytest.mark.parametrize(
    "deep", ["{{ " + "not " * 5000 + "1 }}", "{{ 1" + " + 1" * 5000 + " }}", "{% if 1 %}" * 500 + "{% endif %}" * 500]
)
def test_what_is_nested_too_deeply_is_refused_and_not_a_crash(tmp_path: Path, deep: str) -> None:
    with pytest.raises(Invalid):
        open_shop(tmp_path, letter(body(deep)))


def test_a_number_nobody_can_count_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        open_shop(tmp_path, letter(body("{{ " + "9" * 5000 + " }}")))


def test_macros_that_multiply_each_other_are_refused(tmp_path: Path) -> None:
    macros = "{% macro a0() %}xxxxxxxx{% endmacro %}" + "".join(
        f"{{% macro a{n}() %}}{f'{{{{ a{n - 1}() }}}}' * 8}{{% endmacro %}}" for n in range(1, 9)
    )
    with pytest.raises(Invalid, match="zu lange"):
        open_shop(tmp_path, letter(body(macros + "{{ a8() }}")))


def test_what_a_customer_is_called_is_never_run(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("{{ customer.first_name }}|{{ customer.last_name }}"), "birthday"))
    known = samples.full("birthday", "de")
    evil = replace(known.customer, first_name="{{7*7}}{% raw %}", last_name="<script>alert(1)</script>")
    mail = shop.render(replace(known, customer=evil))
    assert "{{7*7}}{% raw %}|&lt;script&gt;alert(1)&lt;/script&gt;" in mail.html
    assert "{{7*7}}{% raw %}|<script>alert(1)</script>" in mail.text
    assert "49" not in mail.html.split("<p")[1]


def test_a_link_from_data_cannot_become_a_script(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("[Bericht]({{ visit.report_url or shop.url }})"), "service_due"))
    known = samples.full("service_due", "de")
    assert 'href="https://shop.example/report/17"' in shop.render().html
    with pytest.raises(TemplateError, match="a link must begin with"):
        shop.render(replace(known, visit=VisitView(report_url="javascript:alert(1)")))


def test_a_quote_in_a_link_does_not_leave_the_attribute(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("[Bericht]({{ visit.report_url or shop.url }})"), "service_due"))
    known = replace(samples.full("service_due", "de"), visit=VisitView(report_url='https://x.example/"onmouseover=1'))
    assert 'href="https://x.example/&#34;onmouseover=1"' in shop.render(known).html


def test_html_in_a_body_is_shown_as_text(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("Hallo <img src=x onerror=alert(1)> Welt")))
    assert "&lt;img src=x onerror=alert(1)&gt;" in shop.render().html


def test_a_template_never_sees_a_function_or_a_secret(tmp_path: Path) -> None:
    shop = open_shop(tmp_path, letter(body("x"), "purchase"))
    letter_ = shop.renderer._letters["one", "message"]["de"]
    known = shop.renderer._known(samples.full("purchase", "de"), letter_, "Sie")
    seen = [value for entry in known.values() for value in getattr(entry, "values", {"": entry}).values()]
    assert not any(callable(value) for value in seen)
    assert not letter_.html.template.globals
