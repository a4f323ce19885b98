"""A click group that imports a command when it runs, not to list it. No command is named here."""

from __future__ import annotations

import difflib
import importlib
from typing import Any

import click
from click.shell_completion import CompletionItem

from mainspring.cli.catalog import CATALOG, children


class LazyGroup(click.Group):
    """The group of the catalog at `path`."""

    def __init__(self, path: tuple[str, ...] = (), **attributes: Any) -> None:
        attributes.setdefault("name", path[-1] if path else None)
        attributes.setdefault("help", CATALOG.get(" ".join(path)))
        super().__init__(**attributes)
        self._path = path
        self._known = children(path)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._known:
            return None
        path = (*self._path, cmd_name)
        if children(path):
            return LazyGroup(path)
        module = importlib.import_module(f"mainspring.cli.commands.{'_'.join(path)}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in self._known and not name.startswith("-"):
            near = difflib.get_close_matches(name, self._known, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        known = [
            CompletionItem(name, help=text)
            for name, text in self._known.items()
            if name.startswith(incomplete)
        ]
        return known + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._known.items()))
