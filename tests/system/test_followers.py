"""A server is killed and stopped under 1,000 subscribers: all go on without a gap or a repeat."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bench.subscriber import Events, Poll, Subscriber
from mainspring.model.run import TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.wire import calls
from tests.system.cluster import Cluster
from tests.system.watching import ended, registered, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

TASKS = Path(__file__).with_name("follow_tasks.py")
RUNS = 20
FULL = os.environ.get("MAINSPRING_CHAOS") == "full"
FOLLOWERS = {"postgres": 1_000, "sqlite": 1_000 if FULL else 200}
"""By database. They are held by the server, whichever it has."""

Heard = list[tuple[str, str, Any]]


def crowd(cluster: Cluster, ids: Sequence[str]) -> list[tuple[Subscriber, Heard]]:
    """As many long polls as streams of events, spread over the runs."""
    found: list[tuple[Subscriber, Heard]] = []
    kind = "postgres" if urlsplit(cluster.database).scheme else "sqlite"
    for at in range(FOLLOWERS[kind]):
        run_id, heard = ids[at % len(ids)], Heard()

        def told(kind: str, place: str, data: Any, heard: Heard = heard) -> None:
            heard.append((kind, place, data))

        if at // len(ids) % 2:
            path = f"/realtime/v1/runs/{run_id}"
            found.append((Poll(cluster.port, cluster.key, path, told), heard))
        else:
            path = f"/api/v1/runs/{run_id}/events"
            found.append((Events(cluster.port, cluster.key, path, told), heard))
    return found


async def back(everybody: Sequence[Subscriber]) -> None:
    """Until each of them has been answered once more."""
    before = {one: one.connected for one in everybody}
    await until(lambda: all(one.ended or one.connected > before[one] for one in everybody))


async def test_all_go_on_when_the_server_is_killed_and_when_it_is_stopped(
    cluster: Cluster, client: HttpTransport
) -> None:
    cluster.start_server()
    cluster.start_worker(processes=1, slots=RUNS)
    await registered(cluster)
    wanted = [TriggerRequest("talk") for _ in range(RUNS)]
    made = await client.call(calls.Trigger(wanted))
    assert isinstance(made, calls.Triggered)
    ids = [answer.run_id for answer in made.answers]
    followers = crowd(cluster, ids)
    everybody = [one for one, _ in followers]
    tasks = [asyncio.create_task(one.run()) for one in everybody]
    await until(lambda: all(one.connected for one in everybody))

    cluster.kill_server()
    cluster.start_server()
    await back(everybody)
    assert cluster.server is not None
    cluster.server.send_signal(signal.SIGTERM)
    await asyncio.to_thread(cluster.server.wait, 90)
    cluster.start_server()
    await back(everybody)
    assert not any(one.ended for one in everybody)
    assert all(one.connected > 2 for one in everybody)
    (cluster.root / "enough").touch()

    lines = {}
    for run_id in ids:
        assert (await ended(client, run_id)).status == "completed"
        page = await client.call(calls.ListLogs(run_id, 0, 10_000))
        assert isinstance(page, calls.LogPage)
        lines[run_id] = [line.seq for line in page.lines]
    async with asyncio.timeout(90):
        await asyncio.gather(*tasks)
    for at, (one, heard) in enumerate(followers):
        if isinstance(one, Events):
            check_events(heard, lines[ids[at % RUNS]])
        else:
            check_rows(heard)
    await cluster.stop()


def check_events(heard: Heard, lines: list[int]) -> None:
    """Every line once and in order, each change once, and the end at the end."""
    assert [data["seq"] for kind, _, data in heard if kind == "log"] == lines
    changes = [int(place.split("-")[0]) for kind, place, _ in heard if kind == "run"]
    assert changes == sorted(set(changes))
    assert [kind for kind, _, _ in heard[-2:]] == ["run", "end"]
    assert heard[-2][2]["status"] == "COMPLETED"
    check_steps([data["metadata"]["n"] for kind, _, data in heard if "metadata" in data])


def check_rows(heard: Heard) -> None:
    """Each change once, the last one at the end."""
    offsets = [int(place.split("_")[0]) for _, place, _ in heard]
    assert offsets == sorted(set(offsets))
    assert heard[-1][2]["status"] == "COMPLETED_SUCCESSFULLY"
    texts = [row["metadata"] for _, _, row in heard if row["metadata"] is not None]
    check_steps([json.loads(text)["n"] for text in texts])


def check_steps(steps: list[int]) -> None:
    """The run's own count never goes back."""
    assert steps == sorted(steps)
    assert steps[-1] > 1
