"""`mainspring schedules run`: a run besides its ticks."""

from __future__ import annotations

import click

from mainspring.cli.columns import text
from mainspring.cli.connection import Talk, talking
from mainspring.model.run import TriggerAnswer
from mainspring.wire.operating import RunSchedule


@click.command("run")
@click.argument("schedule_id")
@talking
async def command(talk: Talk, schedule_id: str) -> None:
    """Make a run of a schedule now, whether it is active or not. Its ticks stay as they are."""
    answer: TriggerAnswer = await talk.ask(RunSchedule(schedule_id))
    talk.out.one({"id": answer.run_id}, {"run": text("id")}, ident="id")
    talk.out.note(f"Next: mainspring runs watch {answer.run_id}")
