"""A folder becomes a version: packed, imported as it is packed, and sent. Nothing is printed."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from mainspring.app import images
from mainspring.app.prepared import REQUIREMENTS
from mainspring.errors import CallerError, NotFound, TaskImportFailed
from mainspring.model.branch import is_branch
from mainspring.settings import Settings
from mainspring.wire.calls import Request
from mainspring.wire.deploying import Deploy, Deployment
from mainspring.worker import bundle
from mainspring.worker.declare import MODULE, Question, Told
from mainspring.worker.posts import Posts

IMPORT_S: Final = 120.0
_LEFT_OUT: Final = "Is it left out of the bundle by .gitignore or .mainspringignore?"
_MODULE: Final = re.compile(r"No module named '(\w+)")

Ask = Callable[[Request], Awaitable[Any]]


async def send(
    ask: Ask,
    root: Path,
    settings: Settings,
    *,
    secret: str | None = None,
    external_id: str | None = None,
    variables: Mapping[str, str] | None = None,
    image: str = "",
    build: bool = False,
) -> Deployment:
    """Keep the code of a folder as a new version, which is not current yet. With an `image` that
    has the code, only its name is kept; `build` = it is made of the folder.

    `secret` is a text that must not be in it; `variables` are set while it is imported. Raises:
    ConfigurationError, PayloadTooLarge; TaskImportFailed, with the code's own traceback, and then
    nothing was sent.
    """
    key = secrets.token_hex()
    root = root.resolve()  # noqa: ASYNC240 - once, and people are told of it
    packed = await asyncio.to_thread(bundle.pack, root, secret)
    told = await asyncio.to_thread(_declared, packed, root, settings, variables or {})
    if image:
        if build:
            await asyncio.to_thread(images.build, root, image, packed)
        named: Deployment = await ask(
            Deploy("", "", told.manifest, external_id, told.runtime, image, key)
        )
        return named
    data = base64.b64encode(packed.data).decode()
    made: Deployment = await ask(
        Deploy(data, packed.hash, told.manifest, external_id, told.runtime, request_key=key)
    )
    return made


def variables_of(url: str, key: str, environment: str = "") -> dict[str, str]:
    """What workers of the environment are given; nothing where the key may not have it."""
    posts = Posts(url, key, 10.0, environment if is_branch(environment) else "")
    try:
        return dict(posts.variables().variables)
    except (NotFound, CallerError):
        return {}
    finally:
        posts.close()


def _declared(
    packed: bundle.Packed, root: Path, settings: Settings, variables: Mapping[str, str]
) -> Told:
    """What the code declares, imported from a copy that has only what is in the bundle."""
    with tempfile.TemporaryDirectory(prefix="mainspring-deploy-") as place:
        code, file = Path(place, "code"), Path(place, "question")
        bundle.unpack(packed.data, packed.hash, code)
        question = Question(str(code), settings.tasks.dirs, settings.tasks.ignore)
        file.write_bytes(msgspec.json.encode(question))
        try:
            ended = subprocess.run(
                [sys.executable, "-m", MODULE, str(file)],
                cwd=code,
                env=dict(os.environ) | dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=IMPORT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TaskImportFailed(
                f"The import of {root} took longer than {IMPORT_S:.0f} s; nothing was deployed. "
                "What takes long belongs into a function, not beside the tasks."
            ) from error
        errors = ended.stderr.decode(errors="replace").replace(str(code), str(root))
        if ended.returncode != 0:
            raise TaskImportFailed(
                f"The process that imports {root} ended with status {ended.returncode}; nothing "
                "was deployed.",
                details=errors,
            )
        told = msgspec.json.decode(file.read_bytes(), type=Told)
        if told.problems:
            first = told.problems[0]
            shown = "\n".join(problem.traceback for problem in told.problems)
            what = f"{first.message.rstrip('.')}. Nothing was deployed. {_way_out(shown, root)}"
            raise TaskImportFailed(
                what.rstrip().replace(str(code), str(root)),
                details=shown.replace(str(code), str(root)),
            )
        return told


def _way_out(shown: str, root: Path) -> str:
    """What to do about an import that failed; empty when the traceback alone says it."""
    module = _MODULE.search(shown)
    if module is None:
        return _LEFT_OUT if "FileNotFoundError" in shown else ""
    name = module[1]
    places = [root / start / f"{name}{end}" for start in ("", "src") for end in ("", ".py")]
    if any(place.exists() for place in places):
        return _LEFT_OUT
    return f"Install {name} here, and name it in {REQUIREMENTS}: workers install what that says."
