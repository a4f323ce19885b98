"""Public tokens: what a browser is given, in place of a key, to do a few things for a while."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.errors import ConfigurationError
from mainspring.model.duration import Duration, milliseconds
from mainspring.sdk.transport import current


async def public(
    scopes: str | Sequence[str], *, expires: Duration = "15m", one_time: bool = False
) -> str:
    """Make a public token that may do what its scopes say, and nothing else.

    A scope is `action:type:id`, such as `read:runs:run_…`, `trigger:tasks:receipt` or
    `write:waitpoints:waitpoint_…`; without an id it means all of that type.

    Args:
        expires: after so long, at most 30 days.
        one_time: it is good for one trigger or one completion.

    Raises: ConfigurationError for an engine of this process, which signs none; Unauthorized when
    the key itself may do less.
    """
    post = getattr(current(), "post", None)
    if post is None:
        raise ConfigurationError(
            "Public tokens are signed by a server, and this process talks to an engine of its own. "
            "Make a Client with the URL and key of the server."
        )
    wanted = {
        "scopes": [scopes] if isinstance(scopes, str) else [*scopes],
        "expirationTime": f"{max(1, milliseconds(expires, 'expires') // 1000)}s",
        "oneTimeUse": one_time,
    }
    answer = await post("/api/v1/auth/public-tokens", wanted)
    return str(answer["token"])
