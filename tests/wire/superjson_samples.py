"""Payloads as superjson 2.2.6 itself writes them, and what a task gets of each. No tests."""

from __future__ import annotations

from typing import Any, Final

SAMPLES: Final[dict[str, tuple[str, Any]]] = {
    "date": (
        '{"json":"2026-11-21T10:00:00.123Z","meta":{"values":["Date"],"v":1}}',
        "2026-11-21T10:00:00.123Z",
    ),
    "invalid_date": ('{"json":null}', None),
    "bigint": (
        '{"json":"12345678901234567890","meta":{"values":["bigint"],"v":1}}',
        12345678901234567890,
    ),
    "negative": ('{"json":"-5","meta":{"values":["bigint"],"v":1}}', -5),
    "set": ('{"json":[1,"a","2"],"meta":{"values":["set",{"2":["bigint"]}],"v":1}}', [1, "a", 2]),
    "map": (
        '{"json":[["k",{"d":"1970-01-01T00:00:00.000Z"}],[7,[1]]],"meta":{"values":["map",{"0.1.d":["Date"],"1.1":["set"]}],"v":1}}',
        [["k", {"d": "1970-01-01T00:00:00.000Z"}], [7, [1]]],
    ),
    "nested": (
        '{"json":{"list":["1970-01-01T00:00:00.000Z",null,{"b":"1"}],"u":null},"meta":{"values":{"list.0":["Date"],"list.1":["undefined"],"list.2.b":["bigint"],"u":["undefined"]},"v":1}}',
        {"list": ["1970-01-01T00:00:00.000Z", None, {"b": 1}]},
    ),
    "dotted": (
        '{"json":{"a.b":"1970-01-01T00:00:00.000Z","c\\\\d":"1","e\\\\.f":["1970-01-01T00:00:00.001Z"]},"meta":{"values":{"a\\\\.b":["Date"],"c\\\\\\\\d":["bigint"],"e\\\\\\\\\\\\.f":["set",{"0":["Date"]}]},"v":1}}',
        {"a.b": "1970-01-01T00:00:00.000Z", "c\\d": 1, "e\\.f": ["1970-01-01T00:00:00.001Z"]},
    ),
    "nan": (
        '{"json":["NaN","Infinity","-Infinity","-0"],"meta":{"values":{"0":["number"],"1":["number"],"2":["number"],"3":["number"]},"v":1}}',
        [None, None, None, 0],
    ),
    "regexp": ('{"json":"/a\\\\/b/gi","meta":{"values":["regexp"],"v":1}}', "/a\\/b/gi"),
    "url": (
        '{"json":"https://example.com/a?b=1","meta":{"values":["URL"],"v":1}}',
        "https://example.com/a?b=1",
    ),
    "error": (
        '{"json":{"name":"TypeError","message":"no"},"meta":{"values":["Error"],"v":1}}',
        {"name": "TypeError", "message": "no"},
    ),
    "plain": ('{"json":{"json":1,"meta":2}}', {"json": 1, "meta": 2}),
    "undef": ('{"json":null,"meta":{"values":["undefined"],"v":1}}', None),
    "nul": ('{"json":null}', None),
    "text": ('{"json":"hi"}', "hi"),
    "shared": (
        '{"json":[{"a":1},{"a":1}],"meta":{"referentialEqualities":{"0":["1"]},"v":1}}',
        [{"a": 1}, {"a": 1}],
    ),
    "bytes": (
        '{"json":[1,2,255],"meta":{"values":[["typed-array","Uint8Array"]],"v":1}}',
        [1, 2, 255],
    ),
    "floats": ('{"json":[1.5],"meta":{"values":[["typed-array","Float32Array"]],"v":1}}', [1.5]),
    "mapkeys": (
        '{"json":[["1970-01-01T00:00:00.000Z","1"],[{"x":1},null]],"meta":{"values":["map",{"0.0":["Date"],"0.1":["bigint"]}],"v":1}}',
        [["1970-01-01T00:00:00.000Z", 1], [{"x": 1}, None]],
    ),
    "emptyset": ('{"json":[],"meta":{"values":["set"],"v":1}}', []),
    "emptymap": ('{"json":[],"meta":{"values":["map"],"v":1}}', []),
    "setofmaps": (
        '{"json":[[["1",null]]],"meta":{"values":["set",{"0":["map",{"0.0":["bigint"],"0.1":["undefined"]}]}],"v":1}}',
        [[[1, None]]],
    ),
    "deep": (
        '{"json":{"a":{"b":{"c":[{"d.e":[[["x",["1970-01-01T00:00:00.002Z"]]]]}]}}},"meta":{"values":{"a.b.c.0.d\\\\.e.0":["map",{"0.1.0":["Date"]}]},"v":1}}',
        {"a": {"b": {"c": [{"d.e": [[["x", ["1970-01-01T00:00:00.002Z"]]]]}]}}},
    ),
}
