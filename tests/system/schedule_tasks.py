"""A task that runs each second, for the tests of schedules that outlive their servers."""

from mainspring import ScheduledPayload, schedule


@schedule("@every 1s", catch_up="none")
async def beat(tick: ScheduledPayload) -> str:
    return tick.timestamp.isoformat()
