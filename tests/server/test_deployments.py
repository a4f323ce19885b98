"""The life of a deployment by the HTTP API alone, on both databases."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import tarfile
from typing import Any

import pytest

from mainspring.app.prepared import prepare
from mainspring.server.api import deploying, deployments
from mainspring.wire.worker import Execute
from tests.server.test_operations import spoken
from tests.server.test_whole import Whole, make_store, whole

__all__ = ["make_store", "whole"]
ALL = "/api/v1/deployments"
ROUTES = {
    (route.method, route.path): route
    for module in (deploying, deployments)
    for route in module.ROUTES
}
ONE = f"{ALL}/{{deployment}}"
TASKS = {"tasks": [{"id": "greet", "schedules": [{"cron": "0 6 * * *"}]}]}


def bundle(text: str = "first") -> bytes:
    """A tar.gz with a file of tasks, the same for the same text."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("tasks.py")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Deploying:
    """Deployments by nothing but requests."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole

    async def ask(
        self, method: str, path: str, name: str = "", body: Any = None, data: bytes | None = None
    ) -> Any:
        route, url = ROUTES[method, path], path.replace("{deployment}", name)
        sent = {"content": data} if data is not None else {"json": body} if body is not None else {}
        answer = await self.whole.client.request(method, url, **sent)
        assert answer.status_code == 200, answer.text
        return spoken(route, answer.json())

    async def made(self, text: str = "first", *, final: Any = None, **how: Any) -> Any:
        """A version of that code, by all three requests."""
        data = bundle(text)
        begun = await self.ask("POST", ALL, body={"contentHash": sha(data)} | how)
        await self.ask("PUT", f"{ONE}/bundle", begun["id"], data=data)
        return await self.ask("POST", f"{ONE}/finalize", begun["id"], final or TASKS)

    async def refused(
        self, method: str, path: str, status: int, body: Any = None, data: bytes | None = None
    ) -> str:
        sent = {"content": data} if data is not None else {"json": body} if body is not None else {}
        answer = await self.whole.client.request(method, ALL + path, **sent)
        assert answer.status_code == status, answer.text
        return str(answer.json()["error"])

    async def current(self) -> str:
        return str((await self.ask("GET", f"{ALL}/current"))["version"])


@pytest.fixture
def ways(whole: Whole) -> Deploying:
    return Deploying(whole)


async def test_a_deployment_is_begun_uploaded_made_final_and_promoted(
    ways: Deploying, whole: Whole, tmp_path: Any
) -> None:
    data = bundle()
    wanted = {"contentHash": sha(data), "externalId": "c0ffee", "runtimeVersion": "3.12.4"}
    begun = await ways.ask("POST", ALL, body=wanted)
    assert (begun["outcome"], begun["status"]) == ("created", "PENDING")
    early = await ways.ask("GET", ONE, begun["id"])
    assert (early["status"], early["version"], early["externalId"]) == ("PENDING", "", "c0ffee")
    assert (await whole.get(ALL))["data"] == []
    assert (await ways.ask("PUT", f"{ONE}/bundle", begun["id"], data=data))["hasBundle"]
    made = await ways.ask("POST", f"{ONE}/finalize", begun["id"], TASKS)
    assert (made["current"], made["externalId"], made["runtimeVersion"]) == (
        True, "c0ffee", "3.12.4",
    )  # fmt: skip
    for name in (made["version"], made["id"], "c0ffee", begun["id"]):
        shown = await ways.ask("GET", ONE, name)
        assert (shown["version"], shown["contentHash"]) == (made["version"], sha(data))
        assert [task["slug"] for task in shown["worker"]["tasks"]] == ["greet"]
    assert await ways.ask("GET", f"{ALL}/current") == made
    assert await ways.ask("GET", f"{ALL}/latest") == made
    assert (await whole.get(ALL))["data"] == [made]
    [schedule] = (await whole.get("/api/v1/schedules"))["data"]
    assert (schedule["task"], schedule["type"]) == ("greet", "DECLARATIVE")
    prepared = await prepare(whole.house.ask, made["version"], tmp_path)
    assert (prepared.root / "tasks.py").read_text() == "first"


async def test_a_repeat_of_any_step_makes_no_second_version(ways: Deploying) -> None:
    made = await ways.made(externalId="c1")
    again = await ways.ask("POST", ALL, body={"contentHash": sha(bundle()), "externalId": "c1"})
    assert (again["outcome"], again["id"], again["version"]) == (
        "existing", made["id"], made["version"],
    )  # fmt: skip
    begun = await ways.ask("POST", ALL, body={"contentHash": sha(bundle("plain"))})
    for _ in range(2):
        await ways.ask("PUT", f"{ONE}/bundle", begun["id"], data=bundle("plain"))
    ends = [await ways.ask("POST", f"{ONE}/finalize", begun["id"], TASKS) for _ in range(2)]
    assert ends[0] == ends[1]
    assert len((await ways.whole.get(ALL))["data"]) == 2
    other = {"contentHash": sha(bundle("other")), "externalId": "c1"}
    assert "an id of its own" in await ways.refused("POST", "", 400, other)


async def test_two_that_make_one_final_at_the_same_time_get_one_version(ways: Deploying) -> None:
    begun = await ways.ask("POST", ALL, body={"contentHash": sha(bundle())})
    await ways.ask("PUT", f"{ONE}/bundle", begun["id"], data=bundle())
    final = [ways.ask("POST", f"{ONE}/finalize", begun["id"], TASKS) for _ in range(4)]
    [made, *others] = await asyncio.gather(*final)
    assert others == [made] * 3
    assert (await ways.whole.get(ALL))["data"] == [made]


async def test_versions_are_promoted_skipped_rolled_back_and_let_go(ways: Deploying) -> None:
    first = await ways.made("first")
    kept = await ways.made("second", final=TASKS | {"skipPromotion": True})
    assert (kept["current"], await ways.current()) == (False, first["version"])
    assert (await ways.ask("GET", f"{ALL}/latest"))["version"] == kept["version"]
    told = await ways.ask("POST", f"{ONE}/promote", kept["version"])
    assert (told["id"], await ways.current()) == (kept["id"], kept["version"])
    back = await ways.ask("POST", f"{ALL}/rollback")
    assert (back["version"], await ways.current()) == (first["version"], first["version"])
    assert "ever promoted" in await ways.refused("POST", "/rollback", 400)
    assert await ways.ask("DELETE", f"{ALL}/current") == {"success": True}
    assert "nothing to roll back" in await ways.refused("POST", "/rollback", 400)


async def test_a_run_waits_for_its_version_until_that_has_a_worker(
    ways: Deploying, whole: Whole
) -> None:
    worker = await whole.worker()  # of version "1", which has the task already
    run_id = await whole.trigger(externalDeploymentId="c2")
    assert (await whole.run(run_id))["status"] == "PENDING_VERSION"
    made = await ways.made(
        externalId="c2", final={"tasks": [{"id": "work"}], "skipPromotion": True}
    )
    assert (await whole.run(run_id))["status"] == "PENDING_VERSION"
    assert made["workers"] == 0
    named = await whole.worker(version=made["version"], session="session_2")
    order = await named.next(Execute)
    assert (order.run_id, worker.orders) == (run_id, [])
    assert (await ways.ask("GET", ONE, made["version"]))["workers"] == 1


async def test_an_image_is_promoted_once_its_workers_are_there(
    ways: Deploying, whole: Whole
) -> None:
    begun = await ways.ask("POST", ALL, body={"image": "shop:1"})
    assert "no bundle" in await ways.refused("PUT", f"/{begun['id']}/bundle", 422, data=bundle())
    made = await ways.ask("POST", f"{ONE}/finalize", begun["id"], {"tasks": [{"id": "work"}]})
    assert (made["image"], made["current"]) == ("shop:1", False)
    early = await ways.refused("POST", f"/{made['version']}/promote", 400)
    assert "mainspring worker --version" in early
    await whole.worker(version=made["version"])
    await ways.ask("POST", f"{ONE}/promote", made["version"])
    assert await ways.current() == made["version"]


WRONG: list[tuple[Any, int, str]] = [
    ({}, 422, "give one of them"),
    ({"contentHash": "a" * 64, "image": "shop:1"}, 422, "give one of them"),
    ({"contentHash": "A" * 64}, 422, "64 hexadecimal digits"),
    ({"contentHash": None}, 400, "`$.contentHash`"),
    ({"contentHash": "a" * 64, "externalID": "c1"}, 400, "`externalID`"),
    ({"contentHash": "a" * 64, "externalId": ""}, 422, "externalId has 0 characters"),
    ({"image": "x" * 501}, 422, "image has 501 characters"),
    ([], 400, "`object`"),
]
UNDECLARED: list[tuple[Any, int, str]] = [
    ({}, 400, "`tasks`"),
    ({"tasks": []}, 422, "declares no task"),
    ({"tasks": [{"id": ""}]}, 422, "the id of a task has 0 characters"),
    ({"tasks": [{"id": "a"}, {"id": "a"}]}, 422, "'a' is declared twice"),
    ({"tasks": [{"id": "a", "cron": "* * * * *"}]}, 400, "`cron`"),
    (
        {"tasks": [{"id": "a", "schedules": [{"cron": "61 * * * *"}]}]}, 422,
        "Task 'a' declares a schedule: cron '61 * * * *': the minute '61'",
    ),
    ({"tasks": [{"id": "a"}], "queues": [{"name": "q", "concurrencyLimit": -1}]}, 422, "'q' is -1"),
    ({"tasks": [{"id": "a"}], "skipPromotion": "no"}, 400, "`$.skipPromotion`"),
]  # fmt: skip


async def test_what_is_no_deployment_is_refused_by_name_and_nothing_is_kept(
    ways: Deploying, whole: Whole
) -> None:
    for body, status, told in WRONG:
        assert told in await ways.refused("POST", "", status, body), body
    data = bundle()
    begun = await ways.ask("POST", ALL, body={"contentHash": sha(data)})
    place = f"/{begun['id']}"
    assert "PUT the bundle" in await ways.refused("POST", f"{place}/finalize", 400, TASKS)
    wrong = await ways.refused("PUT", f"{place}/bundle", 422, data=bundle("another"))
    assert "not the contentHash" in wrong
    assert "PUT the bundle" in await ways.refused("POST", f"{place}/finalize", 400, TASKS)
    plain = await ways.ask("POST", ALL, body={"contentHash": sha(b"print()")})
    assert "no gzip" in await ways.refused("PUT", f"/{plain['id']}/bundle", 422, data=b"print()")
    await ways.ask("PUT", f"{ONE}/bundle", begun["id"], data=data)
    for body, status, told in UNDECLARED:
        assert told in await ways.refused("POST", f"{place}/finalize", status, body), body
    for method, path in (
        ("GET", "/nothing"), ("POST", "/nothing/promote"), ("POST", "/pending_1/finalize"),
        ("PUT", "/pending_1/bundle"), ("GET", "/current"), ("GET", "/latest"),
    ):  # fmt: skip
        await ways.refused(method, path, 404, TASKS if path.endswith("finalize") else None)
    assert (await whole.get(ALL))["data"] == []


async def test_others_neither_see_nor_touch_what_is_being_made(
    ways: Deploying, whole: Whole
) -> None:
    begun = await ways.ask("POST", ALL, body={"contentHash": sha(bundle())})
    path = f"{ALL}/{begun['id']}"
    assert (await whole.foreign.get(path)).status_code == 404
    assert (await whole.foreign.put(f"{path}/bundle", content=bundle())).status_code == 404
    for name in (begun["id"], f"%01{begun['id']}"):
        asked = await whole.client.put(f"/api/v2/packets/{name}")
        signed = asked.json().get("presignedUrl")
        if signed is not None:  # a path of its own, beside what is kept here
            sent = {"content-type": "application/json"}
            await whole.client.put(signed, content=b'{"hash":"0"}', headers=sent)
    assert (await ways.ask("GET", ONE, begun["id"]))["contentHash"] == sha(bundle())
