"""Requests of our own route with what no database takes: refused or answered, never a failure."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from mainspring.wire import calls
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "whole"]

TEXTS = ["", "\0", "run_\0", "é" * 40, "x" * 5_000, "run_01hf7uaq0001657rc3ga3\u200b"]
NUMBERS = [-(1 << 63), (1 << 63) - 1]


def hostile(kind: type, text: str, number: int) -> Any:
    """A request of that type with this in every field."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        values[field.name] = _value(field.type, text, number)
    return values | {"type": kind.__struct_config__.tag}


def _value(kind: Any, text: str, number: int) -> Any:
    args = get_args(kind)
    if kind in (int, float):
        return number
    if kind is str:
        return text
    if kind is bool:
        return True
    if args and type(None) in args:
        return _value(next(one for one in args if one is not type(None)), text, number)
    origin = getattr(kind, "__origin__", None)
    if origin in (list, tuple):
        return [_value(args[0], text, number)]
    if origin is dict:
        return {text: text}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        found = {
            field.name: _value(field.type, text, number) for field in msgspec.structs.fields(kind)
        }
        return list(found.values()) if kind.__struct_config__.array_like else found
    return None


@pytest.mark.parametrize("text", TEXTS)
async def test_no_field_of_a_request_brings_the_server_down(whole: Whole, text: str) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger()
    faults = []
    for kind in get_args(calls.Request):
        for number in NUMBERS:
            body = hostile(kind, text, number)
            if "timeout_ms" in body:
                body["timeout_ms"] = 0
            for named in ({}, {"run_id": run_id}):
                request = body | {name: id_ for name, id_ in named.items() if name in body}
                answer = await whole.client.post(
                    "/api/mainspring/v1/call", content=msgspec.msgpack.encode(request)
                )
                if answer.status_code >= 500 and answer.status_code != 501:
                    faults.append((kind.__name__, number, named, answer.status_code, answer.text))
    assert not faults, "\n".join(str(fault)[:300] for fault in faults)
    assert (await whole.run(run_id))["id"] == run_id
