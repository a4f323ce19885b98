"""Who a request comes from: keys and tokens are looked up by hash; answers are kept for seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from starlette.types import Scope

from mainspring.clock import Clock
from mainspring.errors import CallerError, Forbidden, MainspringError, NotFound, Unauthorized
from mainspring.ids import shard_of
from mainspring.model.audit import Entry
from mainspring.model.branch import PREVIEW, is_branch
from mainspring.model.key import PERSONAL, check_key
from mainspring.model.pepper import Pepper
from mainspring.server import signed
from mainspring.server.caller import Admitted, Caller, OneTime
from mainspring.store.access import Access, FoundKey, FoundPerson, KeyRow, Signing
from mainspring.store.environment import EnvironmentRow
from mainspring.wire import tokens
from mainspring.wire.tokens import Claims
from mainspring.wire.waitpoints import proves

log = logging.getLogger("mainspring.server")
ENVIRONMENT: Final = "x-mainspring-environment"
"""The header in which people say which environment they mean."""
BRANCH: Final = "x-trigger-branch"
"""The header in which a key of `preview` says which of its branches it means."""

KEPT_S: Final = 3.0
"""How long what was found is used without asking again; so long a revoked key still works."""
UNKNOWN_KEPT_S: Final = 1.0
USED_MS: Final = 60_000
"""A key's last use is as exact as this, and costs one write in that time."""
AGAIN_MS: Final = 10 * 60_000
"""So long the request that used a one-time token may be repeated when its answer was lost."""
_DAY_MS: Final = 86_400_000
_MOST: Final = 10_000
_SHORT: Final = 2048
"""Characters of a token whose proof is remembered."""
_LOOKUPS: Final = 8

_UNKNOWN: Final = (
    "Invalid or Missing API key: no environment of this server has that key. Copy it again from "
    "where it was printed, or check which server this is."
)
_NOT_GOOD: Final = (
    "Invalid or Missing API key: the public token is not good here. It has expired, was used, was "
    "made by another server, or its key was revoked; ask for a new one."
)
Found = TypeVar("Found")


class Kept(Generic[Found]):
    """Looks things up by text, a few at once, and remembers for seconds what was found, or not."""

    def __init__(self, clock: Clock, turn: asyncio.Semaphore) -> None:
        self._clock = clock
        self._turn = turn
        self._kept: dict[str, tuple[float, Found | None]] = {}

    def get(self, name: str) -> tuple[float, Found | None] | None:
        """What is remembered, which may be that there is nothing."""
        kept = self._kept.get(name)
        return kept if kept is not None and kept[0] > self._clock.monotonic() else None

    async def look_up(self, name: str, ask: Callable[[], Awaitable[Found | None]]) -> Found | None:
        """Ask, and remember the answer. A flood of invented names is no flood of queries."""
        async with self._turn:
            found = await ask()
        self._kept.pop(name, None)
        while len(self._kept) >= _MOST:
            self._kept.pop(next(iter(self._kept)))
        kept_s = UNKNOWN_KEPT_S if found is None else KEPT_S
        self._kept[name] = (self._clock.monotonic() + kept_s, found)
        return found

    async def find(self, name: str, ask: Callable[[], Awaitable[Found | None]]) -> Found | None:
        """What is remembered, else `look_up`."""
        kept = self.get(name)
        return kept[1] if kept is not None else await self.look_up(name, ask)


class Keys:
    """Turns the Authorization header, or an address that proves itself, into a caller."""

    def __init__(self, access: Access, pepper: Pepper, clock: Clock) -> None:
        self._access = access
        self._pepper = pepper
        self._clock = clock
        turn = asyncio.Semaphore(_LOOKUPS)
        self._by_key: Kept[tuple[FoundKey, Admitted]] = Kept(clock, turn)
        self._by_person: Kept[FoundPerson] = Kept(clock, turn)
        self._by_env: Kept[_Proofs] = Kept(clock, turn)
        self._by_shard: Kept[list[EnvironmentRow]] = Kept(clock, turn)
        self._proved: dict[str, tuple[Claims, bytes]] = {}
        self._used: dict[str, tuple[KeyRow, int]] = {}
        self._noting: asyncio.Task[None] | None = None

    async def admit(self, header: str | None, slug: str = "") -> Admitted:
        """The caller of `Bearer <key or token>`. `slug` says which environment a person means.

        Raises: Unauthorized: without a key, with the reason for text of another form, and with one
        and the same answer for what is unknown, revoked, expired or foreign; Forbidden for a person
        without a role there; StoreUnavailable.
        """
        scheme, _, text = (header or "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise Unauthorized(
                "Invalid or Missing API key: send the header `Authorization: Bearer <secret key>`."
            )
        if text.startswith(PERSONAL):
            return await self._person(text, slug)
        if "." in text:  # no key has one, and every token two
            return await self._token(text)
        return await self._key(text, slug)

    async def reach(self, header: str) -> list[tuple[str, str]]:
        """The environments that a credential opens, each with a person's role there.

        Raises: as `admit`.
        """
        text = header.partition(" ")[2].strip()
        if not text.startswith(PERSONAL):
            return [((await self.admit(header)).env.slug, "")]
        found = await self._found_person(text)
        roles: dict[str, str] = {}
        for env, role, _ in found.roles:
            roles.setdefault(env.slug, role)
        return list(roles.items())

    async def environment_of_callback(self, token_id: str, proof: str) -> EnvironmentRow:
        """The environment of the wait token that this address completes.

        Raises: Unauthorized, the same for a wrong proof and an unknown token; StoreUnavailable.
        """
        try:
            shard_id = shard_of(token_id) if token_id.startswith("waitpoint_") else -1
        except ValueError:
            shard_id = -1
        for env in await self._environments(shard_id):
            if proves(self._pepper.callback(env.env_id), token_id, proof):
                return env
        raise Unauthorized("This address completes no token: it is incomplete or was changed.")

    async def environment_of_address(
        self, scope: Scope, parameters: tuple[str, ...]
    ) -> EnvironmentRow:
        """The environment that signed this address.

        Raises: Unauthorized, the same whatever is wrong with it; StoreUnavailable.
        """
        method, query, now = scope["method"], scope["query_string"], self._clock.now()
        for env in await self._environments(signed.shard_of_place(parameters[0])):
            if not signed.is_of(env, parameters[0]):
                continue
            key = self._pepper.callback(env.env_id)
            if signed.proves(key, method, parameters, query, now):
                return env
        raise Unauthorized("This address is not good any more, or was changed: ask for a new one.")

    async def spend(self, admitted: Admitted, request: str) -> None:
        """Use a one-time token up, durably, before anything is done in its name. The same request
        again, after its answer was lost, is let through.

        Raises: Unauthorized when it was used for something else; StoreUnavailable.
        """
        once = admitted.caller.once
        assert once is not None
        now = self._clock.now()
        env_id = admitted.env.env_id
        if await self._access.spend(env_id, once.digest, request, now, once.expires_at):
            return
        if not await self._access.repeat(env_id, once.digest, request, now - AGAIN_MS):
            raise Unauthorized(_NOT_GOOD)

    async def give_back(self, admitted: Admitted, request: str) -> None:
        """The request was refused, and nothing was done: the token is good again, unless the same
        request was made meanwhile a second time.
        """
        once = admitted.caller.once
        assert once is not None
        await self._access.unspend(admitted.env.env_id, once.digest, request)

    async def note(self, entry: Entry) -> None:
        """Append to the audit log. Raises: StoreUnavailable."""
        await self._access.log.append(self._pepper.chain(), entry)

    async def drain(self) -> None:
        """Write down what is not yet."""
        if self._noting is not None:
            await self._noting

    async def _key(self, text: str, slug: str) -> Admitted:
        check_key(text)
        hash_ = self._pepper.stored(text)
        kept = self._by_key.get(hash_)
        if kept is None:
            found = await self._by_key.look_up(hash_, lambda: self._find_key(hash_))
            if found is not None:
                self._note_use(found[0].key)
        else:
            found = kept[1]
        if found is None or not found[0].key.works(self._clock.now()):
            raise Unauthorized(_UNKNOWN)
        if is_branch(slug) and found[1].env.slug == PREVIEW:
            return await self._branch(found[1], slug)
        return found[1]

    async def _branch(self, admitted: Admitted, slug: str) -> Admitted:
        """A key of `preview` opens all of its branches."""
        proofs = await self._by_env.find(slug, lambda: self._proofs(slug))
        if proofs is None:
            raise NotFound(
                f"There is no branch {slug[:80]!r}, or it is archived. `mainspring branches "
                "create` makes one."
            )
        return Admitted(admitted.caller, proofs.env, proofs.newest)

    async def _find_key(self, hash_: str) -> tuple[FoundKey, Admitted] | None:
        found = await self._access.find_key(hash_)
        if found is None:
            return None
        key, env = found.key, found.env
        caller = Caller("key", key_name(key), tuple(key.scopes.split()) or None, key_id=key.key_id)
        signing = self._pepper.signing(env.env_id, found.signing)
        return found, Admitted(caller, env, signing)

    async def _person(self, text: str, slug: str) -> Admitted:
        found = await self._found_person(text)
        name = f"person {found.person.name}"
        slugs = {env.slug for env, _, _ in found.roles}
        if not slug and len(slugs) > 1:
            raise CallerError(
                "A personal token reaches several environments: say which with the header "
                f"{ENVIRONMENT}; for commands, with MAINSPRING_ENVIRONMENT."
            )
        for env, role, number in found.roles:
            if not slug or env.slug == slug:
                signing = self._pepper.signing(env.env_id, number)
                return Admitted(Caller("person", name, role=role), env, signing)
        raise Forbidden(
            f"Unauthorized: {found.person.name} has no role in that environment, or there is none."
        )

    async def _found_person(self, text: str) -> FoundPerson:
        hash_ = self._pepper.stored(text)
        found = await self._by_person.find(hash_, lambda: self._access.people.find(hash_))
        now = self._clock.now()
        if found is None or (found.expires_at is not None and found.expires_at <= now):
            raise Unauthorized(_UNKNOWN)
        return found

    async def _token(self, text: str) -> Admitted:
        subject = tokens.subject(text)
        env_id = _number(subject) if subject is not None else None
        if subject is None or env_id is None:
            raise Unauthorized(_NOT_GOOD)
        proofs = await self._by_env.find(subject, lambda: self._proofs(env_id))
        now = self._clock.now()
        claims = None
        if proofs is not None:
            claims = self._claims(text, proofs, subject, now)
            if claims is not None and not proofs.knows(claims.key):
                # made in the name of a key that is younger than what is remembered
                proofs = await self._by_env.look_up(subject, lambda: self._proofs(env_id))
        if proofs is None or claims is None or not proofs.live(claims.key, now):
            raise Unauthorized(_NOT_GOOD)
        columns = [] if not claims.realtime else claims.realtime.skip_columns or []
        caller = Caller(
            "token",
            f"public token of {claims.key or 'the server'}",
            tuple(claims.scopes),
            key_id=claims.key,
            purse=tokens.digest(text),
            skip_columns=tuple(columns),
            once=OneTime(tokens.digest(text), claims.exp * 1000) if claims.otu else None,
        )
        return Admitted(caller, proofs.env, proofs.newest)

    def _claims(self, text: str, proofs: _Proofs, subject: str, now: int) -> Claims | None:
        """The claims of a token that is proved and holds; what was proved once is remembered."""
        keys = proofs.keys(now)
        found = self._proved.get(text)
        if found is None or found[1] not in keys:
            found = tokens.proved(text, keys)
            if found is None:
                return None
            while len(self._proved) >= _MOST:
                self._proved.pop(next(iter(self._proved)))
            if len(text) <= _SHORT:
                self._proved[text] = found
        return found[0] if tokens.holds(found[0], subject, now // 1000) else None

    async def _proofs(self, env: int | str) -> _Proofs | None:
        found = await self._access.signing(env)
        return None if found is None else _Proofs(found, self._pepper)

    async def _environments(self, shard_id: int) -> list[EnvironmentRow]:
        if shard_id < 0:
            return []
        found = await self._by_shard.find(
            str(shard_id), lambda: self._access.environments_of_shard(shard_id)
        )
        return found or []

    def _note_use(self, key: KeyRow) -> None:
        """Remember that a key was used; written in the background, many at once."""
        now = self._clock.now()
        if key.used_at is not None and now - key.used_at < USED_MS:
            return
        self._used[key.key_id] = (key, now)
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._write_uses(), name="key uses")

    async def _write_uses(self) -> None:
        while self._used:
            used, self._used = self._used, {}
            rows = [(key.key_id, key.used_at or 0, now) for key, now in used.values()]
            try:
                entries = []
                for key_id in await self._access.use_keys(rows):
                    key, now = used[key_id]
                    if key.used_at is None or key.used_at // _DAY_MS < now // _DAY_MS:
                        what = "keys.first_use" if key.used_at is None else "keys.use"
                        entries.append(Entry(now, key.env_id, key_name(key), what, key.key_id))
                if entries:
                    await self._access.log.append(self._pepper.chain(), *entries)
            except MainspringError as error:
                log.warning("last uses of %d keys were not noted: %s", len(rows), error.message)


class _Proofs:
    """What an environment's tokens are proved with."""

    def __init__(self, found: Signing, pepper: Pepper) -> None:
        self.env = found.env
        self._ends = {key.key_id: key for key in found.keys}
        numbers = [0, *(turn.number for turn in found.rotations)]
        self._signing = [
            (
                pepper.signing(found.env.env_id, number),
                min((t.former_until for t in found.rotations if t.number > number), default=None),
            )
            for number in numbers
        ]

        self._next = pepper.signing(found.env.env_id, numbers[-1] + 1)

    @property
    def newest(self) -> bytes:
        """What signs new tokens."""
        return self._signing[-1][0]

    def keys(self, now: int) -> list[bytes]:
        """What may have signed a token that still holds; another server may be one ahead."""
        held = [key for key, until in self._signing if until is None or until > now]
        return [*held, self._next]

    def knows(self, key_id: str) -> bool:
        """Whether that secret key was there when this was read; "" is none."""
        return not key_id or key_id in self._ends

    def live(self, key_id: str, now: int) -> bool:
        """Whether the secret key works in whose name a token was made."""
        return not key_id or (key_id in self._ends and self._ends[key_id].works(now))


def key_name(key: KeyRow) -> str:
    """How the audit log names a key."""
    return " ".join(part for part in ("key", key.key_id, f"…{key.last_four}", key.label) if part)


def _number(subject: str) -> int | None:
    """The number of `env_7`; None for any other text."""
    digits = subject.removeprefix("env_")
    if len(digits) > 15 or not digits.isascii() or not digits.isdigit() or digits[0] == "0":
        return None
    return int(digits) if subject == f"env_{digits}" else None
