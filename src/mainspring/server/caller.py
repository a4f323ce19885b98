"""Who a request comes from and what that one may do. It decides; it looks nothing up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

from mainspring.errors import Forbidden
from mainspring.model import role, scope
from mainspring.model.scope import Resource
from mainspring.store.environment import EnvironmentRow

Kind = Literal["key", "token", "person", "address", "nobody"]

_AS_SCOPE: Final = {"cancel": "write", "replay": "write"}
"""Roles tell more apart than scopes do."""


class OneTime(Struct, frozen=True):
    """A token that is good for one request."""

    digest: str
    expires_at: int


class Caller(Struct, frozen=True):
    """A secret key, a public token, a person, or whoever was given an address.

    Attributes:
        name: for the audit log, such as "key key_… …wxyz" or "person ann".
        scopes: what a public token or limited key covers; None = everything in its environment.
        role: a person's, in the environment that is asked.
        key_id: the secret key in whose name tokens are made, "" for none.
        purse: whose budget of requests this counts in.
        skip_columns: what realtime answers leave out.
        once: set when the token is good for one request.
    """

    kind: Kind
    name: str
    scopes: tuple[str, ...] | None = None
    role: str = ""
    key_id: str = ""
    purse: str = ""
    skip_columns: tuple[str, ...] = ()
    once: OneTime | None = None

    def covers(self, action: str, resources: Sequence[Resource]) -> bool:
        """Whether it may do this to any of the resources."""
        return self.scopes is None or scope.covers(self.scopes, action, resources)

    def allow(self, action: str, resources: Sequence[Resource]) -> None:
        """Raises: Forbidden unless it may do this to any of the resources."""
        if not self.covers(action, resources):
            raise Forbidden(
                f"Unauthorized: the {_WORDS[self.kind]} does not cover {action} here. Ask for one "
                "with the scope that this needs."
            )

    def allow_all(self, action: str, resources: Iterable[Resource]) -> None:
        """The same for several different things, all of which must be covered."""
        for resource in resources:
            self.allow(action, [resource])

    def can(self, action: str, resource: str) -> bool:
        """Whether its role or its scopes allow this for everything of the kind."""
        if self.kind == "person":
            return role.may(self.role, action, resource)
        return self.covers(action, [(resource, "")])

    def permit(self, action: str, resource: str, *, public: bool = False) -> None:
        """Let it in at the door of a route. `public`: the handler asks again, with `allow`.

        Raises: Forbidden.
        """
        if self.kind == "person":
            if not role.may(self.role, action, resource):
                raise Forbidden(
                    f"Unauthorized: the role {self.role!r} may not {action} {resource} here. An "
                    "admin can give another one: mainspring people role."
                )
        elif not public and self.scopes is not None:
            if self.kind == "token":
                raise Forbidden("Unauthorized: this takes a secret key, not a public token.")
            self.allow(_AS_SCOPE.get(action, action), [(resource, "")])


class Admitted(Struct, frozen=True):
    """A caller in an environment, and what is computed for that one from the server's secret."""

    caller: Caller
    env: EnvironmentRow
    signing: bytes = b""


def nobody(address: str) -> Admitted:
    """Whoever asks from that address what needs no proof."""
    return Admitted(Caller("nobody", "nobody", (), purse=f"from {address}"), _NOWHERE)


_NOWHERE: Final = EnvironmentRow(0, "", -1)
_WORDS: Final = {
    "key": "key",
    "token": "public token",
    "person": "role",
    "address": "address",
    "nobody": "request",
}
