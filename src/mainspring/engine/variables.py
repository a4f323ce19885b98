"""Environment variables: checked, sealed, given to workers, hidden from what is shown. No SQL."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from mainspring.clock import Clock
from mainspring.engine.shown import PLAIN, hide
from mainspring.errors import CallerError, ConfigurationError, NotBuilt, NotFound
from mainspring.model import variables as rules
from mainspring.model.redaction import Redaction
from mainspring.store import variables as port
from mainspring.store.protocol import EnvironmentRow
from mainspring.store.variables import VariableRow, Vault
from mainspring.wire import calls
from mainspring.wire.variables import Given

BRANCH: Final = "preview-"
"""Environments with such a slug take over the variables of `preview`."""
RESEALED: Final = 100
Asked = calls.ListVariables | calls.SetVariables | calls.DropVariable

log = logging.getLogger("mainspring.engine")


def no_vault() -> Vault:
    """Instead of a vault, where none is set up."""
    raise NotBuilt("Variables are kept by a server with a key to seal them; this one has none.")


class Variables:
    """The variables of all environments. `open_vault` is asked when the first one is needed;
    `ensure` gives the environment with a slug. `on_change` is called after a change made here.
    """

    def __init__(
        self,
        rows: port.Variables,
        clock: Clock,
        open_vault: Callable[[], Vault],
        ensure: Callable[[str], Awaitable[EnvironmentRow]],
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._open_vault = open_vault
        self._ensure = ensure
        self._vault: Vault | None = None
        self._hidden: dict[int, Redaction] = {}
        self.on_change: Callable[[], None] = lambda: None

    async def answer(self, env: EnvironmentRow, request: Asked) -> calls.Response:
        """Answer what is asked of variables. Raises: as the method for it."""
        if isinstance(request, calls.SetVariables):
            return await self.set(env, request)
        if isinstance(request, calls.DropVariable):
            return await self.drop(env, request.name)
        return await self.listed(env)

    async def listed(self, env: EnvironmentRow) -> calls.VariableList:
        """Those of the environment, without the values of secrets. Raises: ConfigurationError."""
        return calls.VariableList(
            [
                calls.Variable(
                    row.name,
                    rules.HIDDEN if row.is_secret else self.vault.open(row),
                    bool(row.is_secret),
                )
                for row in await self._of(env)
            ]
        )

    async def given(self, env: EnvironmentRow) -> Given:
        """What a worker of the environment gets at its start. Raises: ConfigurationError."""
        rows = await self._of(env)
        return Given(
            {row.name: self.vault.open(row) for row in rows},
            [row.name for row in rows if row.is_secret],
        )

    async def set(self, env: EnvironmentRow, request: calls.SetVariables) -> calls.Written:
        """Set variables. Raises: CallerError, whose details name the bad ones; NotFound; NotBuilt
        without a key.
        """
        _check({**request.values, **request.parent})
        if not request.values and not request.parent:
            raise CallerError("Body Error: there is no variable to set.")
        if request.parent and not env.slug.startswith(BRANCH):
            raise CallerError(
                f"{env.slug} has no parent; parentVariables are for preview branches."
            )
        parent = await self._ensure(BRANCH[:-1]) if request.parent else env
        count = 0
        for where, values in ((parent, request.parent), (env, request.values)):
            count += await self._write(where, values, request) if values else 0
        self.forget()
        self.on_change()
        return calls.Written(count)

    async def drop(self, env: EnvironmentRow, name: str) -> calls.Written:
        """Remove one. Raises: NotFound."""
        if not await self._rows.drop(env.env_id, name):
            raise _missing(env, [name])
        self.forget()
        self.on_change()
        return calls.Written(1)

    async def redaction(self, env: EnvironmentRow) -> Redaction:
        """What takes the secrets of the environment out of texts that are shown."""
        found = self._hidden.get(env.env_id)
        if found is None:
            kept = self._hidden
            rows = [row for row in await self._of(env) if row.is_secret]
            # what is forgotten meanwhile is kept nowhere
            found = kept[env.env_id] = Redaction(self._opened(rows))
        return found

    async def shown(self, env: EnvironmentRow, response: calls.Response) -> calls.Response:
        """The response as people and programs outside of runs may see it."""
        if isinstance(response, PLAIN):
            return response
        redaction = await self.redaction(env)
        return hide(redaction, response) if redaction else response

    def forget(self) -> None:
        """Read anew what is to be hidden: it may have changed."""
        self._hidden = {}

    async def reseal(self) -> None:
        """Seal with the present key what others have sealed. Raises: ConfigurationError."""
        if not await self._rows.sealed_otherwise("", 1):
            return  # there are none at all, and so no key is needed
        self.vault.refresh()
        key_id = self.vault.key_id
        while rows := await self._rows.sealed_otherwise(key_id, RESEALED):
            for row in rows:
                sealed = self.vault.seal(row.env_id, row.name, self.vault.open(row))
                await self._rows.reseal(row, sealed, key_id)
            log.info("sealed %d variables with the key %s", len(rows), key_id)

    @property
    def vault(self) -> Vault:
        """Raises: NotBuilt, ConfigurationError."""
        if self._vault is None:
            self._vault = self._open_vault()
        return self._vault

    async def _of(self, env: EnvironmentRow) -> list[VariableRow]:
        """Those of the environment over those of its parent, by name."""
        rows: dict[str, VariableRow] = {}
        if env.slug.startswith(BRANCH):
            parent = await self._ensure(BRANCH[:-1])
            rows = {row.name: row for row in await self._rows.of(parent.env_id)}
        rows |= {row.name: row for row in await self._rows.of(env.env_id)}
        return [rows[name] for name in sorted(rows)]

    async def _write(
        self, env: EnvironmentRow, values: Mapping[str, str], request: calls.SetVariables
    ) -> int:
        existing = {row.name: row for row in await self._rows.of(env.env_id)}
        missing = [name for name in values if name not in existing]
        if request.mode == "existing" and missing:
            raise _missing(env, missing)
        if request.mode == "new":
            _refuse_existing([name for name in values if name in existing])
        rows = {
            name: self._sealed(env, name, value, existing, request)
            for name, value in values.items()
        }
        together = existing | rows
        too_much = rules.overflow({name: row.sealed for name, row in together.items()})
        if too_much:
            raise CallerError(f"Too many variables in {env.slug}: {too_much}.")
        if request.mode != "new":
            await self._rows.set(list(rows.values()))
        else:  # somebody else may have made one just now
            made = await self._rows.add(list(rows.values()))
            _refuse_existing([name for name in values if name not in made])
        return len(rows)

    def _sealed(
        self,
        env: EnvironmentRow,
        name: str,
        value: str,
        existing: Mapping[str, VariableRow],
        request: calls.SetVariables,
    ) -> VariableRow:
        was = existing.get(name)
        secret = request.secret
        if secret is None:
            secret = was is not None and bool(was.is_secret)
        return VariableRow(
            env.env_id,
            name,
            self.vault.seal(env.env_id, name, value),
            self.vault.key_id,
            int(secret),
            self._clock.now(),
        )

    def _opened(self, rows: Iterable[VariableRow]) -> list[str]:
        """The values of those that open: no worker can be given another one either."""
        values = []
        for row in rows:
            try:
                values.append(self.vault.open(row))
            except (ConfigurationError, NotBuilt) as error:
                log.warning("%s", error.message)
        return values


def _check(values: Mapping[str, str]) -> None:
    found = {name: rules.problem(name, value) for name, value in values.items()}
    _refuse({name: told for name, told in found.items() if told is not None})


def _refuse_existing(names: Iterable[str]) -> None:
    _refuse(dict.fromkeys(names, "it exists already; set override to replace it"))


def _refuse(problems: Mapping[str, str]) -> None:
    if problems:
        details: list[Any] = [{"path": name[:80], "message": problems[name]} for name in problems]
        listed = "; ".join(f"{item['path']!r}: {item['message']}" for item in details[:5])
        raise CallerError(f"No variable was set. {listed}.", details=details)


def _missing(env: EnvironmentRow, names: list[str]) -> NotFound:
    listed = ", ".join(name[:80] or "''" for name in names[:5])
    return NotFound(f"There is no variable {listed} in {env.slug}; `mainspring env ls` lists them.")
