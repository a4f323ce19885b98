"""What the library of the SDKs writes is what tasks get, and what tasks return is plain JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mainspring.model.run import Run, Status
from mainspring.wire import runs, triggers
from tests.wire.superjson_samples import SAMPLES


@pytest.mark.parametrize("name", SAMPLES)
def test_a_value_of_javascript_is_what_the_task_gets(name: str) -> None:
    text, expected = SAMPLES[name]
    options = {"payloadType": "application/super+json"}
    request = triggers.trigger("t", {"payload": text, "options": options})
    assert json.loads(request.payload) == expected
    assert type(json.loads(request.payload)) is type(expected)


@pytest.mark.parametrize("output", ['{"at":"2026-11-21T10:00:00Z"}', "null", "[1]", '"text"'])
def test_an_output_is_plain_json(output: str) -> None:
    run = Run("run_1", "t", Status.COMPLETED, "q", 1, 1, output=output)
    result: Any = runs.result(run)
    assert (result["output"], result["outputType"]) == (output, "application/json")
