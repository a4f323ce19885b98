"""A real server, asked everything that its description allows, answers as it describes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from mainspring.app.hosted import hosted
from mainspring.app.stores import locate
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.settings import ServerSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

KEY = "tr_dev_sk_" + "d" * 24
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
DATABASES = ["sqlite", "postgres"] if os.environ.get("MAINSPRING_CHAOS") == "full" else ["postgres"]
"""What is hostile to SQLite as well is asked by `tests/server/test_hostile_calls.py`; and what a
server of `tests/server` answers is compared with the description whatever is asked.
"""
ENDLESS = "^/realtime/v1/streams/"
"""Readers are held until there is something to read."""


@pytest.mark.parametrize("database", DATABASES, indirect=True)
async def test_no_request_makes_the_server_fail_or_say_what_it_does_not_describe(
    database: str, tmp_path: Path
) -> None:
    settings = ServerSettings(port=0, drain_s=1, access_log=False)
    async with hosted(locate(database), settings, key=KEY) as server:
        env = await server.engine.environment("dev")
        specs = [TaskSpec("hello", "task/hello")]
        await server.engine.store.catalog.register(env.env_id, "v1", specs, [QueueSpec("mail")])
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("st")),
            *("run", f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {KEY}"),
            *("--checks", ",".join(CHECKS), "--phases", "coverage,fuzzing"),
            *("--max-examples", "3", "--generation-deterministic", "--request-timeout", "20"),
            *("--exclude-path-regex", ENDLESS, "--no-color", "--warnings", "off"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
            env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-6000:]
    assert b"passed" in output
