"""One-time tokens for a batch, which is made by one request and filled by others."""

from mainspring.wire import batches, calls
from tests.server.conftest import KEY, Served

BATCHES = "/api/v3/batches"
ITEMS = "/api/v3/batches/batch_1/items"
LINE = '{"index": 0, "task": "%s", "payload": "1"}'


async def answer_to_fill(served: Served, token: str, task: str) -> int:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/x-ndjson"}
    line = LINE % task
    return (await served.client.post(ITEMS, headers=headers, content=line)).status_code


async def test_a_one_time_token_makes_one_batch_and_fills_it(served: Served) -> None:
    served.engine.answers[calls.CreateBatch] = batches.BatchMade("batch_1", 1)
    served.engine.answers[calls.AddItems] = batches.ItemsAdded(1, 0, False, 1, 1)
    scopes = {"scopes": ["batchTrigger:tasks:mail"], "oneTimeUse": True}
    key = {"authorization": f"Bearer {KEY}"}
    minted = await served.client.post("/api/v1/auth/public-tokens", headers=key, json=scopes)
    token = minted.json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    body = {"runCount": 1, "taskIdentifiers": ["mail"]}
    assert (await served.client.post(BATCHES, headers=headers, json=body)).status_code == 202
    for _ in range(2):  # the SDK sends everything again until the batch is sealed
        assert await answer_to_fill(served, token, "mail") == 200
    assert await answer_to_fill(served, token, "other") == 403
    assert (await served.client.post(BATCHES, headers=headers, json=body)).status_code == 401
