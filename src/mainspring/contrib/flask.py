"""Flask: an extension that gives each application its client."""

from __future__ import annotations

from typing import Final

from flask import Flask, current_app

from mainspring.errors import ConfigurationError
from mainspring.sdk.client import TIMEOUT_S, SyncClient

NAME: Final = "mainspring"


class Mainspring:
    """`jobs = Mainspring(app)`, or `jobs = Mainspring()` and later `jobs.init_app(app)`.

    An application's configuration names its server with `MAINSPRING_URL`, `MAINSPRING_SECRET_KEY`
    and `MAINSPRING_TIMEOUT`; what is left out comes from where `mainspring.Client` takes it.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give the application its client. Raises: what `SyncClient` raises."""
        config = app.config
        app.extensions[NAME] = SyncClient(
            config.get("MAINSPRING_URL"),
            config.get("MAINSPRING_SECRET_KEY"),
            timeout=config.get("MAINSPRING_TIMEOUT", TIMEOUT_S),
        )

    @property
    def client(self) -> SyncClient:
        """The client of the current application, the same one in every thread.

        Raises: ConfigurationError when the application was not given one.
        """
        found = current_app.extensions.get(NAME)
        if not isinstance(found, SyncClient):
            raise ConfigurationError(
                f"The application {current_app.name!r} has no Mainspring client; call "
                "`Mainspring(app)`, or `init_app(app)` of the extension."
            )
        return found
