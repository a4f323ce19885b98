"""The variables of the worker's environment, in place before the user's code is imported."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

from mainspring.errors import CallerError, MainspringError, NotFound, RateLimited, Unauthorized
from mainspring.settings import dotenv
from mainspring.wire.variables import Given
from mainspring.worker import hidden
from mainspring.worker.channel import ChildConfig, ChildEnd, Connection
from mainspring.worker.posts import Posts

FIRST_DELAY_S: Final = 0.1
LAST_DELAY_S: Final = 5.0
WHOLE_S: Final = 10.0


def take_on(config: ChildConfig, channel: ChildEnd) -> bool:
    """Ask the server until it answers, and set what it gives in `os.environ`; False when the
    supervisor is gone.

    Over what the process inherited go the server's variables, and over those the developer's own
    file, if the configuration names one. Raises: MainspringError when the server refuses.
    """
    given = _asked(config, channel)
    if given is None:
        return False
    values = dict(given.variables)
    own = Path(config.env_file) if config.env_file else None
    if own is not None and own.is_file():
        values |= dotenv.read(own)
    os.environ.update(values)
    hidden.hide(values[name] for name in given.secrets)
    return True


def _asked(config: ChildConfig, channel: ChildEnd) -> Given | None:
    posts = Posts(config.url, config.key, WHOLE_S, config.environment)
    delay = FIRST_DELAY_S
    try:
        while True:
            try:
                return posts.variables()
            except NotFound:
                return Given()  # a server of an older release
            except Unauthorized as error:
                told = f"{error.message} The worker takes it from MAINSPRING_SECRET_KEY."
                raise Unauthorized(told) from error
            except MainspringError as error:
                if isinstance(error, CallerError) and not isinstance(error, RateLimited):
                    raise
                channel.tell(Connection(False, error.message))
            if channel.left_within(delay * (0.5 + random.random() / 2)):
                return None
            delay = min(delay * 2, LAST_DELAY_S)
    finally:
        posts.close()
