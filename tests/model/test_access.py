"""Scopes, the pepper and the audit chain: laws."""

from __future__ import annotations

import msgspec
from hypothesis import given, strategies as st

from mainspring.model.audit import START, Entry, broken, link
from mainspring.model.key import key_hash
from mainspring.model.pepper import Pepper
from mainspring.model.scope import covers, within

WORDS = st.text("abc:*", max_size=6)
RESOURCE = st.tuples(st.sampled_from(["runs", "tasks", "tags"]), WORDS)
ENTRIES = st.lists(
    st.builds(Entry, st.integers(0, 2**40), st.integers(0, 9), st.text(), st.text()), max_size=8
)


@given(WORDS, RESOURCE)
def test_a_scope_that_spells_a_resource_out_covers_it_and_its_type_covers_more(
    action: str, resource: tuple[str, str]
) -> None:
    action = action.replace(":", "") or "read"
    type_, id_ = resource
    assert covers([f"{action}:{type_}:{id_}"], action, [resource])
    assert covers([f"{action}:{type_}"], action, [resource])
    assert covers([f"{action}:all"], action, [resource])
    assert not covers([f"{action}:{type_}:{id_}x"], action, [resource])
    assert not covers([f"{action}x:{type_}"], action, [resource])


@given(st.lists(st.text("adminrunsl:*", max_size=12), max_size=4), RESOURCE, st.text(max_size=8))
def test_who_may_give_a_scope_away_has_what_it_covers(
    granted: list[str], resource: tuple[str, str], wanted: str
) -> None:
    scope = f"read:{resource[0]}:{wanted}"
    if within(scope, granted) and covers([scope], "read", [resource]):
        assert covers(granted, "read", [resource])
    assert within(scope, None)
    assert not within("read", None)
    assert not within("", None)


def test_only_who_has_everything_gives_everything_away() -> None:
    for all_of_it in (["admin"], ["*:all"], None):
        assert within("admin", all_of_it)
    for granted in (["read:all"], ["*:runs"], ["admin:runs"], []):
        assert not within("admin", granted)
    assert within("read:runs", ["*:all"])
    assert not within("*:runs", ["read:runs", "write:runs"])
    assert not within("read:all", ["read:runs"])
    assert not within("read:runs", ["read:runs:run_1"])


@given(st.text(min_size=1), st.text(min_size=1))
def test_everything_that_follows_from_a_pepper_differs(one: str, other: str) -> None:
    found = [
        (
            pepper.stored("tr_dev_sk_x"), pepper.callback(1), pepper.callback(11), pepper.check(),
            pepper.chain().hex(), pepper.signing(1, 1).hex(), pepper.signing(1, 11).hex(),
            pepper.signing(11, 1).hex(),
        )
        for pepper in (Pepper(one), Pepper(other))
    ]  # fmt: skip
    assert len(set(found[0])) == len(found[0])
    assert not set(found[0]) & set(found[1]) or one.encode(errors="replace") == other.encode(
        errors="replace"
    )


def test_what_is_stored_of_a_key_never_changes() -> None:
    pepper = Pepper("p" * 64)
    key = "tr_dev_sk_" + "a" * 24
    assert pepper.stored(key) == pepper.stored_of(key_hash(key)) == STORED
    assert "p" * 8 not in repr(pepper)


STORED = "66b653bd51fe62fc2bc0fcdf0d649101594f82819a27d9dab31a4af4743a1eac"


@given(ENTRIES, st.data())
def test_a_chain_breaks_where_an_entry_is_changed_moved_or_missing(
    entries: list[Entry], data: st.DataObject
) -> None:
    links = list(link(b"key", 0, START, entries))
    assert broken(b"key", 0, START, links) is None
    assert not links or broken(b"other", 0, START, links) == 1
    if not links:
        return
    at = data.draw(st.integers(0, len(links) - 1))
    field = data.draw(st.sampled_from(["who", "what", "target", "origin", "request_id"]))
    worse = [*links]
    worse[at] = msgspec.structs.replace(links[at], **{field: getattr(links[at], field) + "x"})
    assert broken(b"key", 0, START, worse) == at + 1
    gone = links[:at] + links[at + 1 :]
    assert broken(b"key", 0, START, gone) == (at + 1 if at + 1 < len(links) else None)
    if at + 1 < len(links):
        swapped = [*links]
        swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
        assert broken(b"key", 0, START, swapped) == at + 1
