"""Deployments as they are made over HTTP: requests, and what is kept of one until it is final."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mainspring.errors import CallerError, InvalidOptions
from mainspring.model import limits
from mainspring.model.deployment import EXTERNAL_ID_LENGTH, IMAGE_LENGTH
from mainspring.model.task import QueueSpec, ScheduleSpec, TaskSpec, default_queue
from mainspring.wire.deploying import Manifest

PREFIX: Final = "pending_"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_GZIP: Final = b"\x1f\x8b"


class NewDeployment(Struct, rename="camel", forbid_unknown_fields=True):
    """The code is a bundle, of which `contentHash` is the SHA-256 in hex, or in a container
    `image`. `runtimeVersion` is the Python that it is for, such as `3.12.4`.
    """

    content_hash: str | UnsetType = UNSET
    image: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    runtime_version: str | UnsetType = UNSET


class DeclaredSchedule(Struct, rename="camel", forbid_unknown_fields=True):
    """A schedule that the code of a task declares, with the words of a schedule."""

    cron: str
    timezone: str = "UTC"
    window: str | None = None
    catch_up: str = "latest"


class DeclaredTask(Struct, rename="camel", forbid_unknown_fields=True):
    """A task of the code. The first worker of the version tells the rest of it."""

    id: str
    queue: str | None = None
    description: str = ""
    payload_schema: dict[str, Any] | None = None
    schedules: list[DeclaredSchedule] = []


class DeclaredQueue(Struct, rename="camel", forbid_unknown_fields=True):
    """A queue that the code declares."""

    name: str
    concurrency_limit: int | None = None


class FinalDeployment(Struct, rename="camel", forbid_unknown_fields=True):
    """What the code declares, and whether new runs get it at once."""

    tasks: list[DeclaredTask]
    queues: list[DeclaredQueue] = []
    skip_promotion: bool = False


class OpenedDeployment(Struct, rename="camel", omit_defaults=True):
    """A deployment that is being made; `existing`: its external id is that of a version."""

    id: str
    status: Literal["PENDING", "DEPLOYED"]
    outcome: Literal["created", "existing"] | UnsetType = UNSET
    content_hash: str = ""
    version: str = ""
    external_id: str = ""
    image: str = ""
    has_bundle: bool = False


class Pending(Struct):
    """What is kept of a deployment until it is final, and then which version it has become."""

    hash: str = ""
    image: str = ""
    external_id: str | None = None
    runtime: str = ""
    created_at: int = 0
    version: str = ""


def opened(body: Any, now: int) -> Pending:
    """What is to be made. Raises: CallerError, InvalidOptions."""
    new = _as(NewDeployment, body)
    found = Pending(
        new.content_hash or "",
        new.image or "",
        new.external_id if new.external_id is not UNSET else None,
        new.runtime_version or "",
        now,
    )
    if bool(found.hash) == bool(found.image):
        raise InvalidOptions(
            "A deployment has a contentHash, the SHA-256 of the bundle that is uploaded next, or "
            "the name of an image that has the code; give one of them."
        )
    if found.hash and not _HASH.fullmatch(found.hash):
        raise InvalidOptions(
            f"contentHash {found.hash[:80]!r} is no SHA-256: 64 hexadecimal digits in lower case, "
            "as `sha256sum` prints them."
        )
    if found.image:
        limits.check_text(found.image, "image", IMAGE_LENGTH)
    if found.external_id is not None:
        limits.check_text(found.external_id, "externalId", EXTERNAL_ID_LENGTH)
    if found.runtime:
        limits.check_text(found.runtime, "runtimeVersion", limits.NAME_LENGTH)
    return found


def check_bundle(data: bytes, wanted: Pending) -> None:
    """Refuse what is not the bundle that was announced. Raises: InvalidOptions."""
    if wanted.image:
        raise InvalidOptions(f"The code is in the image {wanted.image!r}; there is no bundle.")
    found = hashlib.sha256(data).hexdigest()
    if found != wanted.hash:
        raise InvalidOptions(
            f"The bundle has the SHA-256 {found}, and not the contentHash {wanted.hash}. Send it "
            "again as it is, or begin another deployment."
        )
    if not data.startswith(_GZIP):
        raise InvalidOptions("The bundle is no gzip; make it with `tar --create --gzip`.")


def declared(body: Any) -> tuple[Manifest, bool]:
    """What the code declares, and whether it is promoted. Raises: CallerError, InvalidOptions."""
    final = _as(FinalDeployment, body)
    tasks = [
        TaskSpec(
            task.id,
            task.queue or default_queue(task.id),
            description=task.description,
            payload_schema=task.payload_schema,
            schedules=tuple(
                ScheduleSpec(one.cron, one.timezone, one.window, one.catch_up)
                for one in task.schedules
            ),
        )
        for task in final.tasks
    ]
    queues = [QueueSpec(queue.name, queue.concurrency_limit) for queue in final.queues]
    return Manifest(tasks, queues), not final.skip_promotion


def _as(type_: Any, body: Any) -> Any:
    try:
        return msgspec.convert(body, type_)
    except msgspec.ValidationError as error:
        raise CallerError(f"Body Error: {error}.") from error
