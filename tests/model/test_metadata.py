"""Changes of metadata, as laws over JSON values and by example."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mainspring.errors import InvalidOptions, PayloadTooLarge
from mainspring.model.limits import METADATA_LIMIT
from mainspring.model.metadata import REFUSALS, applied, applied_each, same, steps_of
from mainspring.wire.worker import Op

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
names = texts.filter(lambda name: name and name not in ("__proto__", "constructor", "prototype"))
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4)


def op(kind: str, path: str = "", value: Any = None) -> Op:
    return Op(kind, path, None if kind == "delete" else json.dumps(value))


def after(before: Any, *changes: Op) -> Any:
    return json.loads(applied(None if before is None else json.dumps(before), changes))


def quoted(*steps: str | int) -> str:
    """The path of these steps, whatever is in them."""
    return "$" + "".join(f"[{json.dumps(step)}]" for step in steps)


@given(objects, names, values)
def test_what_is_set_is_there_and_nothing_else_changed(old: Any, name: str, value: Any) -> None:
    assert same(after(old, op("set", quoted(name), value)), old | {name: value})


@given(objects, names, values)
def test_deleting_what_was_set_leaves_the_rest(old: Any, name: str, value: Any) -> None:
    left = after(old, op("set", quoted(name), value), op("delete", quoted(name)))
    assert same(left, {key: old[key] for key in old if key != name})


@given(objects, st.lists(names, min_size=1, max_size=4, unique=True), values)
def test_a_path_makes_the_objects_on_its_way(old: Any, steps: list[str], value: Any) -> None:
    found = after(
        {key: old[key] for key in old if key != steps[0]}, op("set", quoted(*steps), value)
    )
    for step in steps:
        found = found[step]
    assert same(found, value)


@given(st.lists(values, max_size=5), values)
def test_what_was_appended_is_the_last_item_and_can_be_removed(old: Any, value: Any) -> None:
    assert same(after({"l": old}, op("append", "l", value)), {"l": [*old, value]})
    left = after({"l": old}, op("append", "l", value), op("remove", "l", value))["l"]
    assert same(left, [item for item in old if not same(item, value)])


@given(st.integers(-(2**40), 2**40), st.lists(st.integers(-(2**20), 2**20), max_size=9))
def test_increments_add_up_in_any_order(start: int, amounts: list[int]) -> None:
    up = [op("increment", "$.a.n", amount) for amount in amounts]
    assert after({"a": {"n": start}}, *up) == {"a": {"n": start + sum(amounts)}}
    assert after({"a": {"n": start}}, *reversed(up)) == {"a": {"n": start + sum(amounts)}}


@given(objects, objects)
def test_a_replacement_is_all_there_is(old: Any, new: Any) -> None:
    assert same(after(old, op("replace", "", new)), new)


@given(objects, st.lists(st.tuples(st.sampled_from(["set", "append"]), names, values), max_size=6))
def test_changes_in_one_go_are_the_same_as_one_by_one(
    old: Any, given_changes: Sequence[tuple[str, str, Any]]
) -> None:
    changes = [op(kind, quoted(name), value) for kind, name, value in given_changes]
    text = json.dumps(old)
    for change in changes:
        text = applied(text, [change])
    assert same(json.loads(text), after(old, *changes))
    assert applied_each(json.dumps(old), changes) == (applied(json.dumps(old), changes), [])


@given(values, values)
def test_values_are_the_same_exactly_when_their_json_is(one: Any, other: Any) -> None:
    assert same(one, json.loads(json.dumps(one)))
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert same(one, other)
    assert same(one, other) == same(other, one)


@pytest.mark.parametrize(
    "old, change, new",
    [
        (None, op("set", "a", 1), {"a": 1}),
        ({"$": 1}, op("set", "$", 2), {"$": 2}),
        ({}, op("set", "a.b", 1), {"a.b": 1}),
        ({}, op("set", '$["a.b"].c', 1), {"a.b": {"c": 1}}),
        ({}, op("set", "$.a[0].b", 1), {"a": [{"b": 1}]}),
        ({"a": [1, 2]}, op("set", "$.a[1]", 3), {"a": [1, 3]}),
        ({"a": [1, 2]}, op("set", "$.a[2]", 3), {"a": [1, 2, 3]}),
        ({"a": [1, 2]}, op("set", "$.a.0", 3), {"a": [3, 2]}),
        ({"a": [1, 2]}, op("delete", "$.a[0]"), {"a": [2]}),
        ({"a": [1, 2]}, op("delete", "$.a[7]"), {"a": [1, 2]}),
        ({"a": 1}, op("delete", "$.b.c"), {"a": 1}),
        ({"a": 1}, op("append", "a", 2), {"a": [1, 2]}),
        ({"a": None}, op("append", "a", 2), {"a": [None, 2]}),
        ({}, op("append", "a", [2]), {"a": [[2]]}),
        ({"a": [1, True, 1.0, "1"]}, op("remove", "a", 1), {"a": [True, "1"]}),
        ({"a": [{"b": 1}, {"b": 2}]}, op("remove", "a", {"b": 1}), {"a": [{"b": 2}]}),
        ({}, op("remove", "a", 1), {}),
        ({}, op("increment", "a", -2), {"a": -2}),
        ({"a": None}, op("increment", "a", 0.5), {"a": 0.5}),
        ([1], op("replace", "", {"a": 1}), {"a": 1}),
    ],
)
def test_each_change_by_example(old: Any, change: Op, new: Any) -> None:
    assert same(after(old, change), new)


@pytest.mark.parametrize(
    "old, change, said",
    [
        ({}, Op("explode", "a", "1"), "no change 'explode'"),
        ({}, Op("set", "a"), "needs a value"),
        ({}, Op("set", "a", "{"), "not valid JSON"),
        ({}, Op("set", "a", '"\\u0000"'), "NUL"),
        ({}, op("set", "", 1), "0 characters"),
        ({}, op("set", "a\0", 1), "NUL"),
        ({}, op("set", "a" * 513, 1), "513 characters"),
        ({}, op("set", "$.a..b", 1), "cannot be read at '..b'"),
        ({}, op("set", "$.a[x]", 1), "cannot be read at '[x]'"),
        ({}, op("set", '$["\\q"]', 1), "no JSON text"),
        ({}, op("set", "$" + ".a" * 33, 1), "over 32 steps"),
        ({}, op("set", "$.__proto__.a", 1), "browsers"),
        ({}, op("set", "constructor", 1), "browsers"),
        ({"a": "x"}, op("set", "$.a.b", 1), "'b' is text, not an object"),
        ({"a": {}}, op("set", "$.a[0]", 1), "0 is an object, not a list"),
        ({"a": []}, op("set", "$.a[1]", 1), "has 0 items"),
        ({"a": []}, op("set", "$.a.b", 1), "is a list, not an object"),
        ({"a": {}}, op("remove", "a", 1), "it is an object, not a list"),
        ({"a": True}, op("increment", "a", 1), "it is true or false, not a number"),
        ({"a": 1}, op("increment", "a", "1"), "amount is text"),
        ({"a": 2**63 - 1}, op("increment", "a", 1), "out of range"),
        ({"a": 1e308}, op("increment", "a", 1e308), "out of range"),
        ({}, op("replace", "", [1]), "a list cannot replace it"),
        ([1], op("set", "a", 1), "the metadata is a list"),
    ],
)
def test_a_change_that_cannot_be_applied_says_why(old: Any, change: Op, said: str) -> None:
    with pytest.raises(InvalidOptions) as raised:
        applied(json.dumps(old), [change])
    assert said in raised.value.message


def test_metadata_has_a_limit_and_what_goes_beyond_changes_nothing() -> None:
    large = "x" * (METADATA_LIMIT - 10)
    text = applied(None, [op("set", "a", large)])
    with pytest.raises(PayloadTooLarge, match="limit is 262,144"):
        applied(text, [op("set", "b", "more")])
    kept, refused = applied_each('{"a":1}', [op("set", "b", large), op("set", "c", 2)])
    assert json.loads(kept or "") == {"a": 1, "c": 2}
    assert [error.code for error in refused] == ["payload_too_large"]


def test_what_can_be_applied_is_and_the_rest_is_told() -> None:
    changes = [op("set", "a", 1), op("remove", "a", 1), op("increment", "a", 2)]
    kept, refused = applied_each("{}", changes)
    assert json.loads(kept or "") == {"a": 3}
    assert [error.message for error in refused] == [
        "metadata remove 'a': it is a number, not a list."
    ]


def test_a_flood_of_bad_changes_is_not_looked_at_to_its_end() -> None:
    kept, refused = applied_each(None, [op("increment", "a", "x")] * 10_000)
    assert kept is None
    assert len(refused) < 4 * REFUSALS


def test_a_path_is_read_into_its_steps() -> None:
    assert steps_of("plain") == ("plain",)
    assert steps_of('$.a[0]["b c"].d') == ("a", 0, "b c", "d")
