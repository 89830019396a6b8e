"""How CPython treats a process of ours: settled once, where the process begins."""

from __future__ import annotations

import gc
import sys

_NEW_OBJECTS = 50_000
_YOUNGER_SEARCHES = 20
_LONGEST_TURN = 0.001


def settle() -> None:
    """Look for circular garbage rarely, and let threads take turns often.

    Rows and mails leave no circles, and CPython's own pace costs them a seventh of their time; what is in none is freed
    at once all the same (docs.python.org/3/library/gc.html). A sender whose turn at the provider has come waits a
    millisecond for the thread that prepares the next mails, and not five each time it needs the interpreter
    (sys.setswitchinterval): so mails leave at the rate's own pace.
    """
    gc.set_threshold(_NEW_OBJECTS, _YOUNGER_SEARCHES, _YOUNGER_SEARCHES)
    sys.setswitchinterval(_LONGEST_TURN)
