"""Deployments as they are made: begun, uploaded, made final; and shown, also before they are final.

Until then they are kept among the uploads, for a day; no version is taken.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.responses import Response

from mainspring.errors import Conflict, NotFound
from mainspring.model.deployment import BUNDLE_LIMIT
from mainspring.server.answers import json
from mainspring.server.asking import ask
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Route
from mainspring.wire import deployments, pending
from mainspring.wire.deploying import Deploy, DeploymentDetail, GetDeployment, Promote
from mainspring.wire.operating import Deployment
from mainspring.wire.pending import OpenedDeployment, Pending

OWN: Final = "\x01"
"""Begins the path of what no client can name: paths that clients send are printable."""
MANIFEST: Final = 4 * 1024 * 1024


async def begin(exchange: Exchange) -> Response:
    """`POST /api/v1/deployments`; the same external id and code answer with their version."""
    wanted = pending.opened(await exchange.json(), exchange.clock.now())
    if wanted.external_id is not None:
        found = await _existing(exchange, wanted, wanted.external_id)
        if found is not None:
            return json(_shown(found.id, wanted, found.version, outcome="existing"))
    id_ = f"{pending.PREFIX}{secrets.token_hex(12)}"
    await _keep(exchange, id_, wanted)
    return json(_shown(id_, wanted, outcome="created"))


async def upload(exchange: Exchange) -> Response:
    """`PUT /api/v1/deployments/{deployment}/bundle`: a tar.gz as it is."""
    id_ = exchange.parameters[0]
    wanted = await _pending(exchange, id_)
    data = await exchange.body(BUNDLE_LIMIT)
    pending.check_bundle(data, wanted)
    await _put(exchange, f"{id_}/bundle", base64.b64encode(data).decode())
    return json(_shown(id_, wanted, wanted.version, has_bundle=True))


async def finalize(exchange: Exchange) -> Response:
    """`POST /api/v1/deployments/{deployment}/finalize`: it becomes a version, and the current one.

    A repeat finds the version that it has become.
    """
    id_ = exchange.parameters[0]
    wanted = await _pending(exchange, id_)
    manifest, promotes = pending.declared(await exchange.json(MANIFEST))
    if not wanted.version:
        bundle = await exchange.engine.objects.kept(_place(exchange), f"{OWN}{id_}/bundle")
        if bundle is None and not wanted.image:
            raise Conflict(
                f"The code of {id_} was not uploaded yet: PUT the bundle to "
                f"/api/v1/deployments/{id_}/bundle first."
            )
        code = "" if bundle is None else bundle.text
        deploy = Deploy(
            code, wanted.hash, manifest, wanted.external_id, wanted.runtime, wanted.image, id_
        )
        wanted.version = (await ask(exchange, deploy, Deployment)).version
        await _keep(exchange, id_, wanted)
    exchange.note("deployments.deploy", wanted.version)
    if promotes and not wanted.image:
        await ask(exchange, Promote(wanted.version), Deployment)
    found = await ask(exchange, GetDeployment(wanted.version), DeploymentDetail)
    return json(deployments.shown(found.deployment))


async def retrieve(exchange: Exchange) -> Response:
    """`GET /api/v1/deployments/{deployment}`: by its version, id or external id."""
    name = exchange.parameters[0]
    exchange.allow("read", ("deployments", name))
    if name.startswith(pending.PREFIX):
        wanted = await _pending(exchange, name)
        if not wanted.version:
            at, id_ = wanted.created_at, wanted.external_id
            made = Deployment(name, "", at, at, external_id=id_, hash=wanted.hash)
            made.runtime, made.image = wanted.runtime, wanted.image
            return json(deployments.unfinished(made))
        name = wanted.version
    found = await ask(exchange, GetDeployment(name), DeploymentDetail)
    return json(deployments.detailed(found))


async def _existing(exchange: Exchange, wanted: Pending, external_id: str) -> Deployment | None:
    """The version that has that external id. Raises: Conflict when it has other code."""
    try:
        request = GetDeployment(external_id)
        found = (await ask(exchange, request, DeploymentDetail)).deployment
    except NotFound:
        return None
    if found.external_id != external_id:  # it is the name of a version
        return None
    if (found.hash, found.image) != (wanted.hash, wanted.image):
        raise Conflict(
            f"External id {external_id!r} is that of version {found.version}, which has other "
            "code. Give each state of the code an id of its own."
        )
    return found


async def _pending(exchange: Exchange, id_: str) -> Pending:
    kept = await exchange.engine.objects.kept(_place(exchange), f"{OWN}{id_}")
    if kept is None:
        raise NotFound(
            f"No deployment {id_[:80]!r} is being made in this environment; it is kept for a day. "
            "POST /api/v1/deployments begins one."
        )
    return msgspec.json.decode(kept.text, type=Pending)


async def _keep(exchange: Exchange, id_: str, wanted: Pending) -> None:
    await _put(exchange, id_, msgspec.json.encode(wanted).decode())


async def _put(exchange: Exchange, path: str, text: str) -> None:
    async def parts() -> AsyncIterator[str]:
        yield text

    now = exchange.clock.now()
    place = _place(exchange)
    await exchange.engine.objects.keep(place, f"{OWN}{path}", "text/plain", parts(), now)


def _place(exchange: Exchange) -> tuple[int, int]:
    return exchange.env.shard_id, exchange.env.env_id


def _shown(
    id_: str, wanted: Pending, version: str = "", *, outcome: str = "", has_bundle: bool = False
) -> OpenedDeployment:
    return OpenedDeployment(
        id_,
        "DEPLOYED" if version else "PENDING",
        outcome or msgspec.UNSET,  # type: ignore[arg-type]  # one of the two words
        wanted.hash,
        version,
        wanted.external_id or "",
        wanted.image,
        has_bundle,
    )


_ONE: Final = "/api/v1/deployments/{deployment}"
ROUTES: Final = (
    Route(
        "POST",
        "/api/v1/deployments",
        begin,
        takes=pending.NewDeployment,
        gives=OpenedDeployment,
    ),
    Route("PUT", f"{_ONE}/bundle", upload, gives=OpenedDeployment),
    Route(
        "POST",
        f"{_ONE}/finalize",
        finalize,
        takes=pending.FinalDeployment,
        gives=deployments.ShownDeployment,
    ),
    Route(
        "GET",
        _ONE,
        retrieve,
        public=True,
        gives=deployments.DetailedDeployment,
    ),
)
