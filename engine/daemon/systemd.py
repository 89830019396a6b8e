"""Tells systemd how the daemon is: one datagram to the socket it names.

The protocol is smaller than any package that speaks it. Without systemd nothing is said.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from engine.clock import stopwatch


def notify(state: str) -> None:
    """Send `READY=1`, `WATCHDOG=1`, `STOPPING=1` and the like; never raise: a deaf supervisor stops no mail."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        door.sendto(state.encode(), "\0" + name[1:] if name[0] == "@" else name)


def notify_reloading() -> None:
    """Say that a reload has begun; `Type=notify-reload` wants the monotonic time with it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={int(stopwatch() * 1_000_000)}")
