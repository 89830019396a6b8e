"""How often one network, one address and everybody together may ask; kept in memory, under hashes nobody can read.

A "no" must get through: who unsubscribes is slowed far later than who signs up.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address

from engine.domain.limits import Bucket, Rate, take

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_MOST_KEPT = 50_000

RATES = {
    "look": Rate(240, _MINUTE),
    "stop": Rate(600, _MINUTE),
    "ask": Rate(12, _HOUR),
    "address": Rate(5, _DAY),
    "webhook": Rate(6000, _MINUTE),
    "all asks": Rate(300, _HOUR),
    "all": Rate(12_000, _MINUTE),
}
"""Per network: pages seen, noes said, mails asked for, webhooks; per address: mails asked for; and by everybody."""


class Limits:
    """The buckets of one running server. The longest unused are forgotten first when there are too many."""

    def __init__(self, rates: dict[str, Rate] | None = None) -> None:
        self._rates = RATES | (rates or {})
        self._salt = secrets.token_bytes(16)
        self._buckets: OrderedDict[bytes, Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, what: str, whose: str, now: datetime) -> float:
        """Take one permit for `whose`; return the seconds to wait for one, 0 if it was given."""
        key = blake2b(f"{what}\0{whose}".encode("utf-8", "replace"), key=self._salt, digest_size=16).digest()
        with self._lock:
            bucket, seconds = take(self._buckets.pop(key, None), self._rates[what], now)
            self._buckets[key] = bucket
            while len(self._buckets) > _MOST_KEPT:
                self._buckets.popitem(last=False)
        return seconds


def network_of(host: str) -> str:
    """Return the network that is counted as one visitor: an IPv4 address, or the /64 an IPv6 customer is given."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def cut(host: str) -> str:
    """Return a network address without the part that tells one household from the next (a /24 or /48)."""
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return cut(str(address.ipv4_mapped))
        return str(IPv6Address(int(address) >> 80 << 80))
    return f"{host.rpartition('.')[0]}.0"
