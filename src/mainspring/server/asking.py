"""Asking the engine on behalf of a request. The right type of answer, and nothing else."""

from __future__ import annotations

from typing import TypeVar

from mainspring.errors import InvalidOptions, MainspringError
from mainspring.model.run import Run, TriggerAnswer, TriggerRequest
from mainspring.server.exchange import Exchange
from mainspring.wire import calls

Answer = TypeVar("Answer")


async def ask(
    exchange: Exchange, request: calls.Request, kind: type[Answer], run_id: str | None = None
) -> Answer:
    """The engine's answer, which is of that type. Raises: MainspringError."""
    answer = await exchange.engine.answer(exchange.env, request, run_id)
    if not isinstance(answer, kind):
        raise MainspringError(f"the engine answered {type(request).__name__} with another type")
    return answer


async def trigger(exchange: Exchange, requests: list[TriggerRequest]) -> list[TriggerAnswer]:
    """Make runs; a parent that is named must be a run of this environment, and one for all.

    Raises: NotFound for an unknown parent, InvalidOptions for several, and all of the engine.
    """
    parents = {request.options.parent_id for request in requests}
    parent = next(iter(parents), None)
    if len(parents) > 1:
        raise InvalidOptions("parentRunId: all items of a batch must have the same one, or none.")
    if parent is not None:
        await ask(exchange, calls.Retrieve(parent), Run)
    answer = await ask(exchange, calls.Trigger(requests), calls.Triggered, parent)
    return answer.answers
