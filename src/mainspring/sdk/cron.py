"""Schedules that code declares: `@schedule(…)`, `@task(schedule=…)`, and what they are put on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from mainspring.errors import InvalidOptions, InvalidTask
from mainspring.model import schedule
from mainspring.model.task import ScheduleSpec
from mainspring.sdk.signature import Signature, is_model
from mainspring.wire.ticks import ScheduledPayload

CatchUp = Literal["latest", "none", "all"]


@dataclass(frozen=True, slots=True)
class Cron:
    """When a task runs by itself.

    Attributes:
        expression: five fields, `"0 9 * * MON-FRI"`; `"@every 10m"`; or `"@at 2026-12-24T18:00"`.
        tz: the zone whose clock they are about.
        window: spreads the ticks over that time, `"30m"` or `"20%"` of the time to the next one.
        catch_up: what becomes of ticks that nobody could fire in time: `"latest"` makes one run for
            all of them, `"none"` no run, `"all"` one each, for the last hundred.

    Raises: InvalidTask naming what cannot be read.
    """

    expression: str
    _: KW_ONLY
    tz: str = "UTC"
    window: str | None = None
    catch_up: CatchUp = "latest"

    def __post_init__(self) -> None:
        try:
            schedule.check(self.expression, self.tz, self.window, self.catch_up)
        except InvalidOptions as error:
            raise InvalidTask(f"Schedule: {error.message}") from error

    def spec(self) -> ScheduleSpec:
        """The same as a model value."""
        return ScheduleSpec(self.expression, self.tz, self.window, self.catch_up)


Declared = str | Cron | Sequence[str | Cron]


def declared(value: Any, what: str) -> tuple[ScheduleSpec, ...]:
    """The schedules that an option means. Raises: InvalidTask."""
    listed = [value] if isinstance(value, str | Cron) else value
    if not isinstance(listed, list | tuple) or not all(isinstance(o, str | Cron) for o in listed):
        raise InvalidTask(
            f'{what}: schedule is {value!r}; give a text such as "0 9 * * *", a Cron, or a list.'
        )
    try:
        specs = tuple((Cron(one) if isinstance(one, str) else one).spec() for one in listed)
    except InvalidTask as error:
        raise InvalidTask(f"{what}: {error.message}") from error
    for number, spec in enumerate(specs):
        if spec in specs[:number]:
            raise InvalidTask(f"{what}: schedule {spec.cron!r} is there twice; take one out.")
    return specs


def fitted(signature: Signature, what: str) -> Signature:
    """The signature of a scheduled task: a parameter without a type takes a `ScheduledPayload`.

    Raises: InvalidTask for parameters that a tick cannot fill.
    """
    if not signature.parameters:
        return signature
    first = signature.parameters[0]
    if len(signature.parameters) == 1:
        if first.annotation is Any:
            tick = dataclasses.replace(first, annotation=ScheduledPayload)
            return dataclasses.replace(signature, parameters=(tick,))
        if is_model(first.annotation):
            return signature
    raise InvalidTask(
        f"{what} has a schedule, so it takes one ScheduledPayload or nothing; it takes "
        f"{', '.join(parameter.name for parameter in signature.parameters)}."
    )
