"""How often a process looks for circular garbage: set once, where the process begins."""

from __future__ import annotations

import gc

_NEW_OBJECTS = 50_000
_YOUNGER_SEARCHES = 20


def search_rarely() -> None:
    """Look for circular garbage rarely: rows and mails leave none, and CPython's own pace costs them a seventh.

    What is not in a circle is freed at once all the same (docs.python.org/3/library/gc.html).
    """
    gc.set_threshold(_NEW_OBJECTS, _YOUNGER_SEARCHES, _YOUNGER_SEARCHES)
