"""People, their roles and their personal tokens: making and ending them."""

from __future__ import annotations

import random
import re
from typing import Final

from mainspring.errors import InvalidOptions, NotFound
from mainspring.ids import IdSource
from mainspring.model.audit import Entry
from mainspring.model.key import new_personal, new_session
from mainspring.model.pepper import Pepper
from mainspring.model.role import ROLES
from mainspring.store.access import Access, PersonRow
from mainspring.store.environment import EnvironmentRow

_NAME: Final = re.compile(r"[\w.@+-]{1,100}")

_bits: Final = random.SystemRandom()
_ids: Final = IdSource(_bits)


class PeopleBook:
    """Changes who may do what, in the name of `who` from `origin`, and tells the audit log."""

    def __init__(
        self, access: Access, pepper: Pepper, now: int, who: str, origin: str = ""
    ) -> None:
        self._access = access
        self._pepper = pepper
        self._now = now
        self._who = who
        self._origin = origin

    async def add(self, name: str, role: str, env: EnvironmentRow | None) -> str:
        """As `make`; returns a personal token, shown this once. Raises: InvalidOptions."""
        await self.make(name, role, env)
        return await self.token(name, None)

    async def make(self, name: str, role: str, env: EnvironmentRow | None) -> None:
        """A new person with a role in that environment (None = in all). Raises: InvalidOptions."""
        if not _NAME.fullmatch(name):
            raise InvalidOptions(
                f"{name[:100]!r} is no name; expected letters, digits and . @ + - _, such as "
                "ann@example.org."
            )
        _check_role(role)
        if any(member.name == name for member in await self._access.people.members()):
            raise InvalidOptions(f"There is a person {name!r} already; give a role instead.")
        row = PersonRow(_ids.new("person", self._now, 0), name, self._now)
        await self._access.people.add(row, self._pepper.chain(), self._entry("people.add", name))
        await self.give(name, role, env)

    async def give(self, name: str, role: str, env: EnvironmentRow | None) -> None:
        """Give that role in an environment (None = in all), or with "" take what is there.

        Raises: InvalidOptions, NotFound.
        """
        if role:
            _check_role(role)
        env_id = 0 if env is None else env.env_id
        where = "all" if env is None else env.slug
        entry = self._entry("people.role", f"{name} {role or 'none'} {where}", env_id)
        await self._access.people.set_role(
            await self._id(name), env_id, role, self._pepper.chain(), entry
        )

    async def token(self, name: str, expires_at: int | None) -> str:
        """One more personal token, shown this once. Raises: NotFound."""
        return await self._keep(new_personal(_bits), name, expires_at, "people.token")

    async def session(self, name: str, expires_at: int) -> str:
        """A token for one session of a browser. Raises: NotFound."""
        return await self._keep(new_session(_bits), name, expires_at, "people.session")

    async def _keep(self, text: str, name: str, expires_at: int | None, what: str) -> str:
        person_id = await self._id(name)
        entry = self._entry(what, f"{name} …{text[-4:]}")
        await self._access.people.add_token(
            self._pepper.stored(text),
            person_id,
            text[-4:],
            self._now,
            expires_at,
            self._pepper.chain(),
            entry,
        )
        return text

    async def set_password(self, name: str, hash_: str) -> None:
        """Keep the hash of a person's password. Raises: NotFound."""
        entry = self._entry("people.password", name)
        await self._access.people.set_password(
            await self._id(name), hash_, self._now, self._pepper.chain(), entry
        )

    async def sign_out(self, name: str) -> None:
        """End all personal tokens of a person, and the password. Raises: NotFound."""
        entry = self._entry("people.sign_out", name)
        await self._access.people.drop_tokens(await self._id(name), self._pepper.chain(), entry)

    async def remove(self, name: str) -> None:
        """Remove a person with all roles and tokens. Raises: NotFound."""
        entry = self._entry("people.remove", name)
        await self._access.people.drop(await self._id(name), self._pepper.chain(), entry)

    async def _id(self, name: str) -> str:
        for member in await self._access.people.members():
            if member.name == name:
                return member.person_id
        raise NotFound(f"There is no person {name[:100]!r}; `mainspring people ls` lists all.")

    def _entry(self, what: str, target: str, env_id: int = 0) -> Entry:
        return Entry(self._now, env_id, self._who, what, target, self._origin)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise InvalidOptions(f"{role[:40]!r} is no role; there are {', '.join(ROLES)}.")
