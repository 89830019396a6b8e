"""The application against its own description: whatever is sent, no fault of ours comes back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from engine.domain.limits import Rate
from engine.web.limiting import RATES, Limits
from tests.web.test_signing_up import pending
from tests.web.visiting import Asked, dump, pages_of, served, token_of, visitor

if TYPE_CHECKING:
    from engine.app import App

OPEN = Limits({name: Rate(10**9, rate.per) for name, rate in RATES.items()})
QUICK = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
OPERATIONS = 16
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it is the door that is tried


@pytest.fixture
def described(app: App) -> Any:
    """Give the application, with what its description says of it."""
    pages = pages_of(app, Asked({"t": pending()}), OPEN)
    return pages, schemathesis.openapi.from_dict(pages.openapi())


def test_no_request_the_description_allows_or_forbids_ends_in_a_fault(app: App, described: Any) -> None:
    pages, schema = described
    tried: dict[str, int] = {}
    with served(pages) as client:
        for found in schema.get_all_operations():
            for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
                _try(found.ok(), mode, str(client.base_url), tried)
    assert len(tried) >= OPERATIONS
    assert sum(tried.values()) > 200


def _try(operation: Any, mode: Any, url: str, tried: dict[str, int]) -> None:
    @QUICK
    @given(data=st.data())
    def once(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = case.call(base_url=url)
        tried[operation.label] = tried.get(operation.label, 0) + 1
        assert answer.status_code < 500, case.as_curl_command()

    with suppress(Unsatisfiable):  # nothing that could be sent is forbidden there
        once()


def test_the_true_links_survive_any_form(app: App, described: Any) -> None:
    pages, _ = described
    client, token = visitor(pages), token_of(app)
    before = dump(app)

    @QUICK
    @given(
        st.sampled_from([f"/u/{token}", f"/p/{token}", "/c/t", "/d/t", "/my-data", "/sign-up/newsletter-2015"]),
        st.binary(max_size=300),
        st.sampled_from(
            ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/html; charset=x"]
        ),
    )
    def once(path: str, raw: bytes, kind: str) -> None:
        answer = client.post(path, content=raw, headers={"content-type": kind})
        assert answer.status_code in {400, 429}

    once()
    assert dump(app) == before
