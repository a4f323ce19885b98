"""A process of subscribers: `python -m bench.subscribers PORT KEY HALF < runs`.

Reads one run id a line, follows each, half as events and half as a long poll, and says on a line of
its own when all are connected. After a line on its standard input it prints what it measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from bench.subscriber import Events, Poll, Subscriber

AT_ONCE = 100


async def main(port: int, key: str) -> None:
    ids = iter(sys.stdin.readline, "\n")
    late: list[float] = []

    def told(kind: str, place: str, data: Any) -> None:
        found = data.get("metadata") if kind == "run" else None
        metadata = json.loads(found) if isinstance(found, str) else found
        if metadata:
            late.append(time.time() - metadata["at"])

    everybody: list[Subscriber] = []
    for at, run_id in enumerate(ids):
        name = run_id.strip()
        if at % 2:
            everybody.append(Poll(port, key, f"/realtime/v1/runs/{name}", told))
        else:
            everybody.append(Events(port, key, f"/api/v1/runs/{name}/events", told))
    tasks = []
    for at, one in enumerate(everybody):
        tasks.append(asyncio.create_task(one.run()))
        while at - sum(one.connected > 0 for one in everybody[: at + 1]) > AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    while not all(one.connected for one in everybody):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    late.sort()
    broken = sum(one.broken for one in everybody)
    print(json.dumps({"late": late, "broken": broken}), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
