"""A server on a real engine: keys of two environments, and whatever store it is given."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from mainspring.app import keys
from mainspring.server.app import build
from mainspring.server.serve import Listener
from mainspring.settings import ServerSettings
from mainspring.store.protocol import Store
from tests.engine.house import House
from tests.server.conftest import KEY, OTHER_KEY, PEPPER


async def serve(store: Store, stack: AsyncExitStack) -> tuple[House, int]:
    """The engine and the port, until the stack is closed."""
    await store.open()
    stack.push_async_callback(store.close)
    house = House(store)
    await house.start()
    stack.push_async_callback(house.stop)
    writing = asyncio.create_task(keep_leases(house))
    stack.callback(writing.cancel)
    for key, slug in ((KEY, "dev"), (OTHER_KEY, "prod")):
        await keys.admit(house.engine, PEPPER, key, slug)
    settings = ServerSettings(port=0, drain_s=1)
    listener = Listener(build(house.engine, settings, house.clock, pepper=PEPPER), settings)
    await listener.start()
    stack.push_async_callback(listener.stop)
    return house, listener.port


async def keep_leases(house: House) -> None:
    """Write what beats say soon, as the loop of an engine does whose clock goes by itself."""
    while True:
        for door in house.engine.doors.values():
            await door.leases.write()
        await asyncio.sleep(0.02)
