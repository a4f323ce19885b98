"""Answers to what people and workers ask about versions of the code."""

from __future__ import annotations

from typing import assert_never

from mainspring.engine import carry, deployments, waiting
from mainspring.engine.deploy import deploy
from mainspring.engine.owner import Owner
from mainspring.engine.promote import promote, rollback
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import deploying as wire


async def answer(
    owner: Owner, env: EnvironmentRow, request: wire.DeployingRequest
) -> wire.DeployingResponse:
    """Answer one of these requests. Raises: as the function that answers it."""
    match request:
        case wire.Deploy():
            return await deploy(owner, env, request)
        case wire.Promote():
            return await promote(owner, env, request.version)
        case wire.Rollback():
            return await rollback(owner, env)
        case wire.GetDeployment():
            return await deployments.detail(owner, env, request.version)
        case wire.GetBundle():
            return await deployments.bundle(owner, env, request.version)
        case wire.ListWaiting():
            return await waiting.page(owner, env, request)
        case wire.CarryRuns():
            return await carry.carry(owner, env, request)
        case _:
            assert_never(request)
