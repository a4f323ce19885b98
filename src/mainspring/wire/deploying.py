"""Requests and responses of deployments: versions of the code, which of them is current, and what
runs that wait would do in another one.

They are part of the table in `wire.calls`, through which they are used.
"""

from __future__ import annotations

from msgspec import Struct

from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.wire.worker import Execute


class Manifest(Struct):
    """What the code of a version declares; schedules are in the tasks."""

    tasks: list[TaskSpec]
    queues: list[QueueSpec]


class Deploy(Struct, tag="deploy"):
    """Keep a version of the code → Deployment. It becomes current by `Promote` only.

    `bundle` is base64 of a tar.gz, `hash` its SHA-256 in hex; `runtime` the Python that the code
    was imported with, such as "3.12.4". With an `image`, which has the code, bundle and hash are
    empty. A repeat with the same `external_id` and hash answers with the deployment that there is,
    and so does one with the same `request_key` within two days. Raises: Conflict when the
    external id has other code.
    """

    bundle: str
    hash: str
    manifest: Manifest
    external_id: str | None = None
    runtime: str = ""
    image: str = ""
    request_key: str = ""


class Promote(Struct, tag="promote"):
    """Let new runs get that version → Deployment. `version` may also be a deployment's id or
    external id; empty = any worker takes new runs, whatever its version.

    Raises: NotFound; Conflict for a version that is gone.
    """

    version: str


class Rollback(Struct, tag="rollback"):
    """Promote the version that was deployed before the current one and has been promoted once →
    Deployment. Raises: Conflict when there is none, or it is gone.
    """


class GetDeployment(Struct, tag="get_deployment"):
    """→ DeploymentDetail. `version` as in `Promote`."""

    version: str


class GetBundle(Struct, tag="get_bundle"):
    """→ Bundle, the code of a version. Raises: NotFound, Conflict when it is not kept here."""

    version: str


class Bundle(Struct):
    """`bundle` is base64 of a tar.gz, `hash` its SHA-256 in hex."""

    version: str
    hash: str
    bundle: str


class ListWaiting(Struct, tag="waiting_runs"):
    """Runs with a journal that wait or are to be tried again, newest first, of other versions than
    this one → WaitingPage. `after` is a cursor of a page.
    """

    version: str
    after: str | None = None
    limit: int = 50


class WaitingRun(Struct):
    """A run and the order that would let it go on: with its payload and its journal. `open` are the
    keys and kinds of its open waits.
    """

    version: str
    status: str
    order: Execute
    open: list[tuple[str, str]]


class WaitingPage(Struct):
    runs: list[WaitingRun]
    next: str | None = None


class CarryRuns(Struct, tag="carry_runs"):
    """Let runs that wait go on in another version, at most 100 → Carried. Those that have ended,
    execute at the moment or were triggered for a version stay as they are.
    """

    version: str
    run_ids: list[str]


class Carried(Struct):
    run_ids: list[str]


class Deployment(Struct):
    """A version of the tasks since it was deployed or its first worker came; `workers` are those
    connected now. `promoted_at` is the last time it became current. A version with no `hash` was
    only announced by workers: its code is not kept here.
    """

    id: str
    version: str
    created_at: int
    seen_at: int
    workers: int = 0
    current: bool = False
    promoted_at: int | None = None
    external_id: str | None = None
    hash: str = ""
    size: int = 0
    runtime: str = ""
    image: str = ""


class DeploymentDetail(Struct):
    """A version with what its code declares, as far as that is known."""

    deployment: Deployment
    manifest: Manifest


DeployingRequest = Deploy | Promote | Rollback | GetDeployment | GetBundle | ListWaiting | CarryRuns
DeployingResponse = Deployment | DeploymentDetail | Bundle | WaitingPage | Carried
DEPLOYING: dict[type[Struct], type[Struct]] = {
    Deploy: Deployment,
    Promote: Deployment,
    Rollback: Deployment,
    GetDeployment: DeploymentDetail,
    GetBundle: Bundle,
    ListWaiting: WaitingPage,
    CarryRuns: Carried,
}
