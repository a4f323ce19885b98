"""What does not lie in a run's row is named there by its path, as realtime clients read it."""

from __future__ import annotations

import json

import httpx2

from mainspring.wire.worker import Execute
from tests.server.electric import Electric
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "whole"]


async def test_a_large_payload_and_output_are_paths_that_lead_to_them(whole: Whole) -> None:
    worker = await whole.worker()
    large = {"text": "é" + "x" * 600_000}
    run_id = await whole.trigger(large)
    await worker.finish(await worker.next(Execute), output=json.dumps([large]))
    await worker.durable()
    follower = Electric(whole.client, f"/realtime/v1/runs/{run_id}")
    await follower.ask()
    row = follower.row()
    for name, value in (("payload", large), ("output", [large])):
        assert row[f"{name}Type"] == "application/store"
        assert row[name]
        url = (await whole.get(f"/api/v1/runs/{run_id}/packets/{name}"))["presignedUrl"]
        async with httpx2.AsyncClient() as client:
            assert (await client.get(url)).json() == value


async def test_what_lies_in_the_row_and_what_is_not_there_are_json(whole: Whole) -> None:
    await whole.worker(slots=0)
    run_id = await whole.trigger({"n": 1})
    follower = Electric(whole.client, f"/realtime/v1/runs/{run_id}")
    await follower.ask()
    row = follower.row()
    assert (json.loads(row["payload"]), row["payloadType"]) == ({"n": 1}, "application/json")
    assert (row["output"], row["outputType"]) == (None, "application/json")
