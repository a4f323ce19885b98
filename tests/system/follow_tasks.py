"""The task of the test of subscribers: it talks, and changes its metadata, until it is enough."""

import asyncio
import os
from pathlib import Path

from mainspring import logger, metadata, task

ENOUGH = Path(os.environ["CRASH_HISTORY"]).with_name("enough")


@task
async def talk() -> None:
    while not ENOUGH.exists():
        logger.info("still here")
        metadata.increment("n")
        await asyncio.sleep(0.2)
