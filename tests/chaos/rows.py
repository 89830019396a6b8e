"""The rows of the table: every way in which doubts end, and everything that can happen to a process or a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tests.chaos import naive, racing, restoring, storage
from tests.chaos.judging import Promise, Verdict
from tests.chaos.killing import Run, Style, kill_loop
from tests.chaos.servers import Storm, storm_row
from tests.chaos.storage import TROUBLES

_HIDDEN = (
    "accept_then_500,accept_then_502,accept_then_503=1,accept_then_504,accept_then_cut,accept_then_reset,"
    "accept_then_cut_in_answer,accept_then_junk,accept_then_empty,accept_then_html,accept_then_hang:0.3"
)
_NOT_TAKEN = "500,503=1,cut,reset,cut_before,cut_in_request,throttle=1:0.5"
_ANSWERS = f"slow=0.2:16,accept:4,ponder=0.2,{_HIDDEN},{_NOT_TAKEN}"
FAULTY = f"{_ANSWERS},missing_ids"
"""What the double answers, drawn anew for every request: two fifths are no clear yes."""
FAULTY_BATCH = f"{_ANSWERS},partial,too_few,too_many"
"""Without a single id missing: that one mail stays unknown, for its batch can no longer be repeated whole."""
FAULTY_MAIL_SERVER = (
    "accept:24,cut@HELLO,450@MAIL,450@RCPT,550@RCPT:0.3,451@DATA,cut@DATA,cut@BODY,cut@DOT,451@DOT,cut@TAKEN:3,"
    "silence@TAKEN:0.3,cut@QUIT"
)
BAD_LOOK_UPS = ("--look-ups", "honest:4,500,junk,cut,others,empty", "--lag", "1")
SETTLE = 'settle = "3 seconds"'

KEY = Style("kill -9, key", "resend", FAULTY, config="batch = 1")
KEY_BATCH = Style("kill -9, key, batch", "resend", FAULTY_BATCH, config="batch = 20", per_kill=90)
ERROR = Style("kill -9, key with error", "brevo", FAULTY, config="batch = 1")
ERROR_BATCH = Style("kill -9, key with error, batch", "brevo", FAULTY_BATCH, config="batch = 20", per_kill=90)
LOOK_UP = Style("kill -9, look-up", "postmark", FAULTY, config=f"batch = 1\n{SETTLE}", double=BAD_LOOK_UPS)
LOOK_UP_BATCH = replace(
    LOOK_UP, name="kill -9, look-up, batch", mode=FAULTY_BATCH, config=f"batch = 20\n{SETTLE}", per_kill=90
)
NOBODY = Style("kill -9, nobody knows", "smtp", FAULTY_MAIL_SERVER, Promise(unknown=True), rate=1500, per_kill=16)
AGAIN = replace(NOBODY, name="kill -9, nobody knows, resend", promise=Promise(twice=True), on_doubt="resend")
PROCESSES = replace(
    KEY_BATCH, name="kill -9, --workers 2", words=("run", "--workers", "2"), lives=(1.0, 5.0), per_kill=100
)


@dataclass(frozen=True)
class Row:
    """One line of the table: how it is made, how often is killed in the long form, and how often in the short one."""

    name: str
    make: Callable[[Run], Verdict]
    kills: int = 0
    short: int | None = None


def _loop(style: Style, kills: int, short: int | None = None) -> Row:
    return Row(style.name, partial(kill_loop, style=style), kills, short)


def _storm(name: str, style: Style, storm: Storm, short: int | None = None) -> Row:
    named = replace(style, name=f"PostgreSQL: {name}", per_kill=14 if "batch = 1\n" in f"{style.config}\n" else 60)
    return Row(named.name, partial(storm_row, style=named, storm=storm), short=short)


def _trouble(trouble: storage.Trouble) -> Row:
    return Row(trouble.name, partial(storage.trouble_row, trouble=trouble, seconds=6.0))


ROWS: tuple[Row, ...] = (
    _loop(KEY, 200, 4),
    _loop(KEY_BATCH, 160),
    _loop(ERROR, 160, 3),
    _loop(ERROR_BATCH, 80),
    _loop(LOOK_UP, 160, 3),
    _loop(LOOK_UP_BATCH, 120),
    _loop(NOBODY, 160, 3),
    _loop(AGAIN, 40),
    _loop(PROCESSES, 40),
    _storm("kill -9", KEY, Storm(kills=200)),
    _storm("kill -9, look-up, batch", LOOK_UP_BATCH, Storm(kills=100)),
    _storm("server restarts", ERROR, Storm(restarts=12, quiet=(2.0, 5.0))),
    _storm("backends killed", LOOK_UP, Storm(cut_off=60, quiet=(0.2, 1.0))),
    _storm("freezes beyond the lease", LOOK_UP, Storm(freezes=40, quiet=(0.5, 1.5))),
    _storm("all at once", KEY_BATCH, Storm(kills=40, restarts=8, cut_off=20, freezes=10, quiet=(0.2, 1.2)), 6),
    *map(_trouble, TROUBLES),
    Row("backup restored", restoring.restored_row),
    Row("machine cloned", restoring.cloned_row),
    Row("race, sqlite", partial(racing.race_row, store="sqlite", rounds=10_000)),
    Row("race, postgres", partial(racing.race_row, store="postgres", rounds=10_000)),
    Row("naive: mark", partial(naive.naive_row, sender=naive.mark, workers=1, freezes=False), 60, 5),
    Row("naive: lease", partial(naive.naive_row, sender=naive.lease, workers=3, freezes=True), 60, 6),
)
