"""Django: a client made from the settings, and triggers that wait for the transaction's commit.

The settings, each of which may come from where `mainspring.Client` takes it instead:
`MAINSPRING = {"URL": "https://jobs.example", "KEY": "tr_prod_sk_…", "TIMEOUT": "30s"}`.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import transaction

from mainspring.sdk.call import Call, send_sync
from mainspring.sdk.client import TIMEOUT_S, Client, SyncClient
from mainspring.sdk.options import resolve

SETTING: Final = "MAINSPRING"
_KNOWN: Final = ("URL", "KEY", "TIMEOUT")


@functools.cache
def client() -> SyncClient:
    """The client of this project, for views that block; the same one in every thread.

    Raises: ImproperlyConfigured for a key of the setting that is not known, and what `SyncClient`
    raises.
    """
    return SyncClient(**_given())


@functools.cache
def async_client() -> Client:
    """The client of this project, for async views. Raises: as `client`."""
    return Client(**_given())


def on_commit(call: Call[Any], using: str | None = None) -> None:
    """Make a run of the call once the open transaction is committed; at once when there is none.

    The arguments are checked now: `on_commit(send_receipt.call(order))`. If the process dies
    between the commit and the trigger, there is no run; where that matters and the database is
    PostgreSQL, trigger inside of the transaction: `task.with_options(connection=connection)`.
    """
    aimed = call if call.resolved.connection or call.resolved.client else _through(call)
    transaction.on_commit(functools.partial(send_sync, [aimed]), using=using)


def _through(call: Call[Any]) -> Call[Any]:
    """The same call, through the client of the project if its setting names a server."""
    return call.under(resolve({"client": client()})) if getattr(settings, SETTING, None) else call


def _given() -> dict[str, Any]:
    given = dict(getattr(settings, SETTING, None) or {})
    unknown = sorted(given.keys() - set(_KNOWN))
    if unknown:
        raise ImproperlyConfigured(
            f"The setting {SETTING} has no {', '.join(unknown)}; there are {', '.join(_KNOWN)}."
        )
    found = {"url": given.get("URL"), "key": given.get("KEY")}
    return {**found, "timeout": given.get("TIMEOUT", TIMEOUT_S)}


def _changed(*, setting: str, **_: Any) -> None:
    """A test has overridden the setting."""
    if setting == SETTING:
        client.cache_clear()
        async_client.cache_clear()


setting_changed.connect(_changed)
