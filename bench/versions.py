"""Benchmark of deployments: another version of the code under many runs that sleep."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from bench.figure import Figure
from bench.place import database
from bench.processes import Bits
from mainspring.app.deploying import send
from mainspring.app.hosted import hosted
from mainspring.app.preflight import carry, preflight
from mainspring.app.prepared import cache_folder, prepare
from mainspring.app.stores import locate, migrate
from mainspring.model.key import new_key
from mainspring.model.run import TriggerRequest
from mainspring.sdk.http import HttpTransport
from mainspring.settings import ServerSettings, Settings
from mainspring.wire import calls
from mainspring.wire.deploying import Promote, Rollback
from mainspring.wire.durable import EmitEvent

HEAD: Final = """
from mainspring import Context, step, task, wait

async def charge(): ...
async def ship(): ...

@task
async def probe(ctx: Context) -> str:
    return ctx.version
"""
TASK: Final = """
@task
async def {name}(ctx: Context) -> str:
{steps}    await wait.event("go")
    return ctx.version
"""
CHARGE, SHIP, SEND = (
    f'    await step("{name}", {does})\n'
    for name, does in (("charge", "charge"), ("ship", "ship"), ("send", "ship"))
)
BEFORE: Final = CHARGE + SHIP
AFTER: Final = {
    "same": CHARGE + SHIP,
    "reordered": SHIP + CHARGE,
    "renamed": CHARGE + SEND,
    "removed": CHARGE,
}
EXPECTED: Final = {
    "same": "fits",
    "reordered": "fits",
    "renamed": "diverges",
    "removed": "diverges",
}
POLL_S: Final = 0.02


async def version_change(store: str, quick: bool) -> Figure:
    """Runs that sleep, a quarter each of unchanged, reordered, renamed and removed steps: they are
    looked at before the promotion, those that fit are carried over, and it is taken back.

    `ms` of the rollback ends when a run that was triggered after it has ended in the old version.
    """
    count = 200 if quick else 1_000
    key = new_key("dev", Bits())
    with tempfile.TemporaryDirectory(prefix="mainspring-versions-") as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        async with database(store) as url:
            place = locate(url)
            await migrate(place)
            async with hosted(place, ServerSettings(port=0, access_log=False), key=key) as server:
                transport = HttpTransport(server.url, key)
                try:
                    found = await _changed(transport, server.url, key, Path(folder, "code"), count)
                finally:
                    await transport.close()
    return {"bench": "version_change", "store": store, "n": count, **found}


async def _changed(
    transport: HttpTransport, url: str, key: str, code: Path, count: int
) -> dict[str, Any]:
    ask = transport.call
    old = await _deployed(transport, code, dict.fromkeys(AFTER, BEFORE))
    await ask(Promote(old))
    async with _worker(url, key, code):
        ids: dict[str, list[str]] = {}
        for name in AFTER:
            made: Any = await ask(
                calls.Trigger([TriggerRequest(name, "{}") for _ in range(count // 4)])
            )
            ids[name] = [one.run_id for one in made.answers]
        everyone = [(id_, name) for name, found in ids.items() for id_ in found]
        await _all(transport, everyone, lambda run: run.status == "waiting")
        new = await _deployed(transport, code, AFTER)
        begin = time.perf_counter()
        verdicts = await preflight(ask, await prepare(ask, new, cache_folder()))
        looked = time.perf_counter() - begin
        told = Counter((one.task, one.verdict) for one in verdicts)
        assert told == dict.fromkeys(EXPECTED.items(), count // 4), told
        begin = time.perf_counter()
        await ask(Promote(new))
        await carry(ask, new, verdicts)
        carried = time.perf_counter() - begin
        assert await _probed(transport) == new
        begin = time.perf_counter()
        await ask(Rollback())
        assert await _probed(transport) == old
        back = time.perf_counter() - begin
        await ask(EmitEvent("go", "null"))
        await _all(transport, everyone, lambda run: run.status.is_final)
        ended: Counter[tuple[str, str, bool]] = Counter()
        for id_, name in everyone:
            run: Any = await ask(calls.Retrieve(id_))
            ended[name, run.status.value, run.output == f'"{new}"'] += 1
    wanted = {
        (name, "completed", verdict == "fits"): count // 4 for name, verdict in EXPECTED.items()
    }
    assert ended == wanted, ended
    return {
        "preflight_ms": round(looked * 1000),
        "carry_ms": round(carried * 1000),
        "rollback_ms": round(back * 1000),
        "lost": count - sum(ended.values()),
    }


async def _deployed(transport: HttpTransport, code: Path, steps: dict[str, str]) -> str:
    _write(code, steps)
    return (await send(transport.call, code, Settings())).version


def _write(code: Path, steps: dict[str, str]) -> None:
    code.mkdir(exist_ok=True)
    tasks = "".join(TASK.format(name=name, steps=does) for name, does in steps.items())
    (code / "tasks.py").write_text(HEAD + tasks)


@contextlib.asynccontextmanager
async def _worker(url: str, key: str, code: Path) -> AsyncIterator[None]:
    """`mainspring worker --deployed`, in an empty folder."""
    elsewhere = code.with_name("elsewhere")
    elsewhere.mkdir()
    command = "from mainspring.cli.main import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", command, "worker", "--deployed", cwd=elsewhere,
        env=os.environ | {"MAINSPRING_URL": url, "MAINSPRING_SECRET_KEY": key},
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _probed(transport: HttpTransport) -> str:
    """The version that a new run gets."""
    made: Any = await transport.call(calls.Trigger([TriggerRequest("probe", "{}")]))
    run: Any = await transport.call(calls.AwaitRun(made.answers[0].run_id, 60_000, whole=True))
    assert run.status == "completed", run
    return str(run.output).strip('"')


async def _all(transport: HttpTransport, runs: list[tuple[str, str]], met: Any) -> None:
    """Wait until it holds for each run."""
    left = [id_ for id_, _ in runs]
    async with asyncio.timeout(120):
        while left:
            run = await transport.call(calls.Retrieve(left[-1]))
            if met(run):
                left.pop()
            else:
                await asyncio.sleep(POLL_S)
