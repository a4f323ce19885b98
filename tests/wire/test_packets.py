"""Payloads of SDKs become plain JSON text, or one of our errors, whatever arrives."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from mainspring.errors import CallerError, InvalidOptions, InvalidPayload, MainspringError
from mainspring.wire import plain
from mainspring.wire.packets import (
    JSON,
    STORE,
    SUPER_JSON,
    TEXT,
    UPLOADED,
    decode,
    decode_upload,
    path_of,
    run_of,
    stored_at,
    upload_type,
)

UNDEFINED = object()


@dataclass(frozen=True)
class Big:
    number: int


@dataclass(frozen=True)
class Moment:
    text: str


@dataclass(frozen=True)
class Mapping:
    pairs: tuple[tuple[str, Any], ...]


class Printed:
    """Superjson's own way to print, written down here to test reading: `json` and `values`."""

    def __init__(self, value: Any, version: int) -> None:
        self.version = version
        self.values: dict[str, Any] = {}
        self.json = self._walk(value, [])

    def text(self) -> str:
        packet: dict[str, Any] = {"json": self.json}
        if self.values:
            values: Any = self.values.get("", self.values)
            packet["meta"] = {"values": values} | ({"v": 1} if self.version else {})
        return json.dumps(packet)

    def _walk(self, value: Any, path: list[str]) -> Any:
        if value is UNDEFINED:
            self._note(path, ["undefined"])
            return None
        if isinstance(value, Big):
            self._note(path, ["bigint"])
            return str(value.number)
        if isinstance(value, Moment):
            self._note(path, ["Date"])
            return value.text
        if isinstance(value, Mapping):
            inner = Printed([list(pair) for pair in value.pairs], self.version)
            self._note(path, ["map", inner.values] if inner.values else ["map"])
            return inner.json
        if isinstance(value, list):
            return [self._walk(item, [*path, str(at)]) for at, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._walk(item, [*path, key]) for key, item in value.items()}
        return value

    def _note(self, path: list[str], note: list[Any]) -> None:
        def escape(step: str) -> str:
            step = step.replace("\\", "\\\\") if self.version else step
            return step.replace(".", "\\.")

        self.values[".".join(map(escape, path))] = note


def stringified(value: Any) -> Any:
    """What the task must get."""
    if isinstance(value, Big):
        return value.number
    if isinstance(value, Moment):
        return value.text
    if isinstance(value, Mapping):
        return [[key, stringified(item)] for key, item in value.pairs]
    if isinstance(value, list):
        return [None if item is UNDEFINED else stringified(item) for item in value]
    if isinstance(value, dict):
        return {k: stringified(item) for k, item in value.items() if item is not UNDEFINED}
    return value


names = st.text(st.sampled_from("ab.\\ 0"), min_size=1, max_size=4)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
    | st.builds(Big, st.integers(-(2**80), 2**80))
    | st.builds(Moment, st.just("2026-01-02T03:04:05.678Z"))
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    held = inner | st.just(UNDEFINED)
    # Printed notes inside a Map start anew, where an undefined pair has no place.
    pairs = st.lists(st.tuples(names, inner), max_size=3).map(tuple)
    return (
        st.lists(held, max_size=4)
        | st.dictionaries(names, held, max_size=4)
        | st.builds(Mapping, pairs)
    )


values = st.recursive(leaves, containers, max_leaves=15)


@given(values)
def test_what_superjson_prints_is_read_as_json_stringify_would_have_said(value: Any) -> None:
    text = Printed(value, version=1).text()
    assert msgspec.json.decode(decode(text, SUPER_JSON)) == stringified(value)


@given(st.dictionaries(names.filter(lambda name: "\\" not in name), leaves, max_size=4))
def test_the_older_way_to_escape_is_read_too(value: Any) -> None:
    text = Printed(value, version=0).text()
    assert msgspec.json.decode(decode(text, SUPER_JSON)) == stringified(value)


def test_an_undefined_payload_is_null() -> None:
    text = '{"json":null,"meta":{"values":["undefined"]}}'
    assert decode(text, SUPER_JSON) == "null"


@pytest.mark.parametrize(
    "packet, expected",
    [
        ({"json": {"a": "NaN"}, "meta": {"values": {"a": ["number"]}}}, {"a": None}),
        ({"json": ["-0"], "meta": {"values": {"0": ["number"]}}}, [0]),
        ({"json": [1, 1], "meta": {"values": ["set"]}}, [1, 1]),
        ({"json": "/a/b", "meta": {"values": ["regexp"]}}, "/a/b"),
        ({"json": [1], "meta": {"values": [["typed-array", "Uint8Array"]]}}, [1]),
        ({"json": {"x": 1}, "meta": {"values": [["class", "Point"]]}}, {"x": 1}),
        ({"json": {"a": [1], "b": [1]}, "meta": {"referentialEqualities": {"a": ["b"]}}},
         {"a": [1], "b": [1]}),
        ({"json": [["k", "5"]], "meta": {"values": ["map", {"0.1": ["bigint"]}]}}, [["k", 5]]),
    ],
)  # fmt: skip
def test_every_kind_of_note_has_a_plain_form(packet: Any, expected: Any) -> None:
    assert msgspec.json.decode(decode(json.dumps(packet), SUPER_JSON)) == expected


def test_plain_json_is_the_value_itself_and_text_stays_text() -> None:
    assert decode({"a": [1, None, "é"]}, JSON) == '{"a":[1,null,"é"]}'
    assert decode("[1]", JSON) == '"[1]"'
    assert decode("[1]", TEXT) == '"[1]"'
    assert decode(None, JSON) == "null"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
)  # fmt: skip
notes = st.recursive(
    st.lists(st.sampled_from(["Date", "bigint", "undefined", "number", "set", 7]), max_size=3),
    lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=3),
)


packets = st.builds(
    lambda value, values: json.dumps({"json": value, "meta": {"values": values}}),
    json_values,
    notes,
)


@given(
    json_values | st.text() | packets, st.sampled_from([JSON, SUPER_JSON, TEXT, STORE, "image/png"])
)
def test_no_packet_raises_anything_but_our_errors(payload: Any, type_: str) -> None:
    try:
        text = decode(payload, type_)
    except (InvalidPayload, InvalidOptions):
        return
    msgspec.json.decode(text)


@given(st.binary(max_size=40) | st.text(st.sampled_from('[]{}",:\\ud80a0 1'), max_size=30))
def test_no_text_raises_anything_but_our_errors(data: bytes | str) -> None:
    text = data if isinstance(data, bytes) else data.encode()
    try:
        value = plain.read(text, "body")
        plain.write(value)
    except MainspringError:
        return
    assert plain.read(text, "body") == value


@pytest.mark.parametrize(
    "notes", [{"b": ["bigint"]}, {"a.x": ["undefined"]}, {"a": 5}, [[], [], []]]
)
def test_notes_that_do_not_fit_are_refused(notes: Any) -> None:
    with pytest.raises(InvalidPayload, match="do not fit"):
        decode(json.dumps({"json": {"a": "x"}, "meta": {"values": notes}}), SUPER_JSON)


def test_nul_and_lone_surrogates_are_refused_and_their_spelling_in_text_is_not() -> None:
    for payload in ({"a": "x\0"}, ["\0"], {"\0": 1}):
        with pytest.raises(InvalidPayload, match="NUL"):
            decode(payload, JSON)
    with pytest.raises(InvalidPayload, match="lone surrogate"):
        decode('{"json":"\\ud800"}', SUPER_JSON)
    with pytest.raises(InvalidPayload, match="lone surrogate"):
        decode('{"json":"\ud800"}', SUPER_JSON)
    for harmless in ("\\u0000", "\\\\u0000", "\\\\\\u0000"):
        assert msgspec.json.decode(decode(harmless, TEXT)) == harmless
        with pytest.raises(InvalidPayload, match="NUL"):
            decode(harmless + "\0", TEXT)


def test_depth_is_counted_outside_text_only() -> None:
    assert not plain.too_deep(b"[" * 128 + b"]" * 128)
    assert plain.too_deep(b"[" * 129 + b"]" * 129)
    assert plain.too_deep(b'[{"a":' * 65 + b"1" + b"}]" * 65)
    assert plain.too_deep(b"[" * 100_000 + b"]" * 100_000)
    assert not plain.too_deep(b'["' + b"[" * 500 + b'\\"[[","]"]')
    assert not plain.too_deep(b"[" + b",".join([b'{"a":[]}'] * 300) + b"]")


@given(st.integers(0, 300), st.integers(0, 300))
def test_depth_is_exact_for_any_mix(deep: int, wide: int) -> None:
    data = b'{"a":[' * (deep // 2) + b",".join([b"[]"] * (wide + 1)) + b"]}" * (deep // 2)
    assert plain.too_deep(data) == (2 * (deep // 2) + 1 > 128)


@given(st.integers(-(2**66), 2**66) | st.sampled_from([2**63, -(2**63), 2**64, 2**64 - 1]))
def test_whole_numbers_have_64_bits_at_most(number: int) -> None:
    fits = -(2**63) <= number < 2**64
    for shape in ("{}", '{{"a":[1,{}]}}', '[{{"x":"12345678901234567890123"}},{}]'):
        data = shape.format(number).encode()
        if fits:
            plain.read(data, "body")
            continue
        with pytest.raises(CallerError, match="64 bits"):
            plain.read(data, "body")
    assert plain.read(f'"{number}"'.encode(), "body") == str(number)
    assert decode(f'{{"json":"{number}","meta":{{"values":["bigint"]}}}}', SUPER_JSON) == str(
        number
    )


@pytest.mark.parametrize("text", ["1e400", "-1e400", "NaN", "Infinity", "01", "1.", "+1", "0x1"])
def test_what_is_no_number_of_json_is_refused(text: str) -> None:
    with pytest.raises(CallerError, match="not valid JSON"):
        plain.read(text.encode(), "body")


def test_types_that_are_not_taken_say_which_are() -> None:
    for type_ in ("image/png", STORE):
        with pytest.raises(InvalidOptions, match="text/plain is allowed"):
            decode("x", type_)


uploaded = st.sampled_from([JSON, SUPER_JSON, TEXT, "Application/JSON; charset=utf-8"])


@given(st.text() | packets | json_values.map(json.dumps), uploaded)
def test_no_upload_raises_anything_but_our_errors(text: str, type_: str) -> None:
    try:
        found = decode_upload(text, type_)
    except InvalidPayload:
        return
    msgspec.json.decode(found)


@given(st.text(), st.integers(0, 2000), st.none() | st.floats() | st.lists(st.text()))
def test_a_storage_path_is_printable_text_of_bearable_length(
    text: str, length: int, other: Any
) -> None:
    for payload in (text, "x" * length, other):
        good = isinstance(payload, str) and 0 < len(payload) <= 1024 and payload.isprintable()
        try:
            assert stored_at(payload) == payload
        except InvalidPayload:
            assert not good
        else:
            assert good


@given(st.text(max_size=120))
def test_only_types_of_packets_may_be_uploaded(header: str) -> None:
    kept = upload_type(header)
    assert kept in (None, header)
    if kept is not None:
        assert kept.partition(";")[0].strip().lower() in UPLOADED
        assert kept.isascii()
        assert kept.isprintable()


def test_paths_of_runs_name_the_run_and_what_of_it() -> None:
    assert run_of(path_of("run_1", "output")) == ("run_1", "output")
    for path in ("runs/run_1/metadata.json", "runs//payload.json", "x/runs/run_1/payload.json", ""):
        assert run_of(path) is None
