"""One server among others of its database: their secret, where they reach it, whom it asks."""

from __future__ import annotations

import random
import secrets
import socket
from contextlib import AsyncExitStack
from typing import Final

from mainspring.engine.engine import Engine
from mainspring.server.peers.cluster import Cluster
from mainspring.server.peers.listener import PeerListener
from mainspring.server.port import EnginePort
from mainspring.store.access import Access

_KEPT: Final = "peers"


async def secret_of(access: Access) -> bytes:
    """What only servers of the database know. Raises: StoreUnavailable."""
    return (await access.secret(_KEPT, secrets.token_hex(32))).encode()


async def join(stack: AsyncExitStack, engine: Engine, bound: socket.socket | None) -> EnginePort:
    """Begin to answer the others on that socket, and the engine that asks them; without a socket
    there are none. What the stack holds then ends it, after the engine has stopped.

    Raises: StoreUnavailable.
    """
    if bound is None:
        stack.push_async_callback(engine.stop)
        return engine
    secret = await secret_of(engine.access)
    cluster = Cluster(engine, secret, random.SystemRandom())
    stack.push_async_callback(cluster.close)
    listener = PeerListener(engine, secret, bound)
    stack.push_async_callback(listener.stop)
    await listener.start()
    stack.push_async_callback(engine.stop)
    return cluster
