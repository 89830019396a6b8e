"""What each provider's webhooks mean, and that no bytes whatever do more than be refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.news import DeliveryNews, NewsKind
from engine.providers.incoming import Forged, Unreadable
from engine.providers.listening import READERS
from tests.doubles.webhooks import SECRETS, hook

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MID = "0f8a7c1e-9a55-5d7b-8a44-5a1b1c2d3e4f"
MAIL = {"id": "their-1", "mid": MID, "to": "anna@example.com", "tags": []}


def read(provider: str, document: Any, **headers: str) -> list[DeliveryNews]:
    """Read an event whose sender was proved already."""
    return READERS[provider].read(json.dumps(document).encode(), {"svix-id": "msg_1"} | headers)


@pytest.mark.parametrize("provider", sorted(READERS))
@pytest.mark.parametrize("kind", ["delivered", "deferred", "bounced", "complained", "opened", "clicked"])
def test_an_event_names_our_mail_and_its_time_and_no_address(provider: str, kind: str) -> None:
    one = hook(provider, kind, MAIL, NOW, SECRETS[provider])
    READERS[provider].verify(one.raw, one.headers, SECRETS[provider], NOW)
    (news,) = READERS[provider].read(one.raw, one.headers)
    assert (news.kind, news.message_id, news.provider_id, news.at) == (kind, MID, "their-1", NOW)
    assert "example.com" not in repr(news)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("request", "accepted"),
        ("soft_bounce", "deferred"),
        ("invalid_email", "bounced"),
        ("spam", "complained"),
        ("complaint", "complained"),
        ("unsubscribe", "unsubscribed"),
        ("unsubscribed", "unsubscribed"),
        ("unique_proxy_open", "opened"),
        ("blocked", "failed"),
        ("error", "failed"),
        ("list_addition", "other"),
    ],
)
def test_brevos_words(event: str, kind: str) -> None:
    (news,) = read("brevo", {"event": event, "message-id": "<1@x>", "X-Mailin-custom": MID, "ts_epoch": 1763804700000})
    assert news.kind == kind


def test_brevo_may_send_several_at_once_and_the_tag_names_the_mail_too() -> None:
    events = [{"event": "delivered", "message-id": f"<{n}@x>", "tags": ["birthday", MID]} for n in range(3)]
    news = read("brevo", events)
    assert ([one.message_id for one in news], len({one.event_id for one in news})) == ([MID] * 3, 3)


@pytest.mark.parametrize(
    ("type_", "data", "kind"),
    [
        ("email.sent", {}, "accepted"),
        ("email.bounced", {"bounce": {"type": "Permanent"}}, "bounced"),
        ("email.bounced", {"bounce": {"type": "Transient"}}, "deferred"),
        ("email.bounced", {"bounce": {"type": "Undetermined"}}, "deferred"),
        ("email.bounced", {"bounce": None}, "deferred"),
        ("email.suppressed", {"suppressed": {"reason": "previous_bounce"}}, "bounced"),
        ("email.suppressed", {"suppressed": {"reason": "previous_complaint"}}, "complained"),
        ("email.failed", {"failed": {"reason": "reached_daily_quota"}}, "failed"),
        ("contact.updated", {}, "other"),
    ],
)
def test_resends_words(type_: str, data: dict[str, Any], kind: str) -> None:
    document = {"type": type_, "created_at": "2026-11-22T09:30:00.000Z", "data": data | {"tags": {"mid": MID}}}
    (news,) = read("resend", document)
    assert (news.kind, news.message_id, news.at, news.event_id) == (kind, MID, NOW, "msg_1")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"RecordType": "Bounce", "Type": "BadEmailAddress"}, "bounced"),
        ({"RecordType": "Bounce", "Type": "SoftBounce"}, "deferred"),
        ({"RecordType": "Bounce", "Type": "SpamNotification"}, "complained"),
        ({"RecordType": "Bounce", "Type": "Unsubscribe"}, "unsubscribed"),
        ({"RecordType": "Bounce", "Type": "AutoResponder"}, "other"),
        ({"RecordType": "SubscriptionChange", "SuppressSending": True}, "unsubscribed"),
        (
            {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "SpamComplaint"},
            "complained",
        ),
        ({"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "HardBounce"}, "bounced"),
        ({"RecordType": "SubscriptionChange", "SuppressSending": False}, "other"),
        ({"RecordType": "Inbound"}, "other"),
    ],
)
def test_postmarks_words(event: dict[str, Any], kind: str) -> None:
    (news,) = read("postmark", event | {"MessageID": "1", "Metadata": {"mid": MID}})
    assert (news.kind, news.message_id) == (kind, MID)


def test_what_is_said_of_a_bounce_is_kept_without_addresses_and_in_one_line() -> None:
    told = '550 5.1.1 <anna.müller@example.com>: gone\r\n\x00\x1b[31m see "mailto:post@example.com" \ud800'
    (news,) = read(
        "postmark", {"RecordType": "Bounce", "Type": "HardBounce", "Description": told, "Details": told * 50}
    )
    assert "@" not in news.detail
    assert news.detail.isprintable()
    assert len(news.detail) <= 300
    news.detail.encode()


def test_a_clicked_link_is_not_kept_for_it_may_be_a_key() -> None:
    link = "https://shop.example/u/secret-token?also=this"
    (news,) = read("brevo", {"event": "click", "message-id": "1", "link": link})
    assert news.detail == "click shop.example"


@pytest.mark.parametrize("value", [10**400, -(10**15), 10**18, True, [], {}, "soon", "0001-01-01T00:00:00+14:00", None])
def test_an_impossible_time_is_no_time(value: Any) -> None:
    (news,) = read("brevo", {"event": "delivered", "message-id": "1", "ts_epoch": value})
    assert news.at is None
    (news,) = read("postmark", {"RecordType": "Delivery", "DeliveredAt": value})
    assert news.at is None


@pytest.mark.parametrize(
    "value", ["", "mid", MID + "x", "{" + MID + "}", MID.replace("-", ""), 17, None, [MID], {"a": MID}]
)
def test_what_has_not_the_form_of_our_ids_is_none(value: Any) -> None:
    for provider, document in (
        ("brevo", {"event": "spam", "X-Mailin-custom": value, "tags": value}),
        ("resend", {"type": "email.complained", "data": {"tags": {"mid": value}}}),
        ("postmark", {"RecordType": "SpamComplaint", "Metadata": {"mid": value}}),
    ):
        assert [one.message_id for one in read(provider, document)] in ([""], [MID] if value == [MID] else [""])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_FIELDS = st.sampled_from(
    [
        "event",
        "email",
        "message-id",
        "tags",
        "X-Mailin-custom",
        "ts_epoch",
        "reason",
        "link",
        "type",
        "created_at",
        "data",
        "bounce",
        "suppressed",
        "failed",
        "email_id",
        "RecordType",
        "Type",
        "Metadata",
        "MessageID",
        "SuppressSending",
        "DeliveredAt",
        "BouncedAt",
        "ID",
        "Description",
    ]
)


@pytest.mark.parametrize("provider", sorted(READERS))
@given(raw=st.binary(max_size=200) | st.dictionaries(_FIELDS, _JSON).map(lambda one: json.dumps(one).encode()))
def test_any_bytes_are_news_or_unreadable(provider: str, raw: bytes) -> None:
    try:
        news = READERS[provider].read(raw, {"svix-id": "msg_1"})
    except Unreadable:
        return
    for one in news:
        assert isinstance(one.kind, NewsKind)
        for text in (one.event_id, one.message_id, one.provider_id, one.detail):
            assert "\x00" not in text
            assert len(text.encode()) <= 4 * 300


@pytest.mark.parametrize("provider", sorted(READERS))
@given(
    headers=st.dictionaries(
        st.sampled_from(["authorization", "svix-id", "svix-timestamp", "svix-signature"]), st.text()
    )
)
def test_any_headers_but_the_right_ones_are_forged(provider: str, headers: dict[str, str]) -> None:
    with pytest.raises(Forged):
        READERS[provider].verify(b"{}", headers, SECRETS[provider], NOW)


@pytest.mark.parametrize("raw", [b"", b"{", b"17", b'"x"', b"[1]", b"[" * 100_000, b'{"a":' + b"1" * 5000 + b"}"])
def test_what_is_no_event_is_unreadable(raw: bytes) -> None:
    for reader in READERS.values():
        with pytest.raises(Unreadable):
            reader.read(raw, {})


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_signature_is_good_for_five_minutes(seconds: int, good: bool) -> None:
    one = hook("resend", "delivered", MAIL, NOW, SECRETS["resend"])
    now = NOW + timedelta(seconds=seconds)
    if good:
        READERS["resend"].verify(one.raw, one.headers, SECRETS["resend"], now)
        return
    with pytest.raises(Forged):
        READERS["resend"].verify(one.raw, one.headers, SECRETS["resend"], now)
