"""What a benchmark is, and what it gives: one line of JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

Figure = dict[str, object]
Case = Callable[[str, bool], Coroutine[None, None, Figure]]
"""Takes the kind of a store and `quick`."""


def figure(name: str, store: str, count: int, seconds: float, **more: object) -> Figure:
    return {"bench": name, "store": store, "per_s": round(count / seconds), "n": count, **more}
