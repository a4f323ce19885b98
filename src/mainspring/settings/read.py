"""Reading settings: flag over environment over project file over user file over default.

The project file is `mainspring.toml`, or `[tool.mainspring]` in `pyproject.toml`, in the folder of
the process or the nearest one above it that has one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from mainspring.errors import ConfigurationError
from mainspring.settings.lines import line_of
from mainspring.settings.values import PREFIX, Setting, Settings, every_setting

FILE: Final = "mainspring.toml"
PYPROJECT: Final = "pyproject.toml"
_TABLE: Final = ("tool", "mainspring")
_SETTINGS: Final = {setting.name: setting for setting in every_setting()}
_NEAR: Final = 0.85
_PASSWORD: Final = re.compile(r"(?<=://)([^:/@]*):[^@/]*@")


@dataclass(frozen=True)
class Origin:
    """Where a value came from: `kind` is flag, environment, project, user or default; `place` is
    what a person would look for, such as `MAINSPRING_URL` or the path of a file.
    """

    kind: str
    place: str


@dataclass(frozen=True)
class Loaded:
    """The settings, and where each came from by its name (`server.port`)."""

    settings: Settings
    origins: Mapping[str, Origin]

    def shown(self) -> list[tuple[str, Any, Origin]]:
        """(name, value, origin) of each setting for people to see; secrets are not shown."""
        rows = []
        for name, setting in _SETTINGS.items():
            value = _at(self.settings, name)
            if setting.secret and value:
                value = "(set)"
            elif isinstance(value, str):
                value = _PASSWORD.sub(r"\1:…@", value)
            rows.append((name, value, self.origins[name]))
        return rows


def load(
    folder: Path, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Loaded:
    """The settings of a process started in `folder`. `flags` are by name; None = not given.

    Raises: ConfigurationError for a file that cannot be read, an unknown name (with the nearest
    one), and a value that does not fit (with where it came from).
    """
    values: dict[str, Any] = {}
    origins = {name: Origin("default", "default") for name in _SETTINGS}
    for kind, path in (("user", _user_file(environ)), ("project", _project_file(folder))):
        if path is None:
            continue
        for name, value in _flat(_table(path), path):
            values[name] = _fit(_SETTINGS[name], value, str(path), strict=True, path=path)
            origins[name] = Origin(kind, str(path))
    _refuse_misspelt(environ)
    for name, setting in _SETTINGS.items():
        text = environ.get(setting.variable)
        if text:
            values[name] = _fit(setting, text, setting.variable, strict=False)
            origins[name] = Origin("environment", setting.variable)
    for name, value in (flags or {}).items():
        if value is None:
            continue
        flag_setting = _SETTINGS.get(name)
        if flag_setting is None:
            raise ConfigurationError(f"There is no setting {name!r}.{_nearest(name, _SETTINGS)}")
        values[name] = _fit(flag_setting, value, flag_setting.flag, strict=False)
        origins[name] = Origin("flag", flag_setting.flag)
    return Loaded(_build(values), origins)


def _build(values: Mapping[str, Any]) -> Settings:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        table, _, last = name.rpartition(".")
        (nested.setdefault(table, {}) if table else nested)[last] = value
    return msgspec.convert(nested, Settings)


def _at(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def user_folder(environ: Mapping[str, str]) -> Path | None:
    """Where this user's files of ours are; None when nothing says where the home is."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    base = environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None)
    return Path(base) / "mainspring" if base else None


def _user_file(environ: Mapping[str, str]) -> Path | None:
    folder = user_folder(environ)
    path = folder / "config.toml" if folder is not None else None
    return path if path is not None and path.is_file() else None


def _project_file(folder: Path) -> Path | None:
    """The nearest project file. Raises: ConfigurationError when one folder has both."""
    for place in (folder, *folder.parents):
        own, shared = place / FILE, place / PYPROJECT
        in_shared = shared.is_file() and _tool(_toml(shared)) is not None
        if own.is_file():
            if in_shared:
                raise ConfigurationError(
                    f"{place} has settings in {FILE} and in {PYPROJECT}; keep one of them."
                )
            return own
        if in_shared:
            return shared
    return None


def _table(path: Path) -> Mapping[str, Any]:
    found = _toml(path)
    return _tool(found) or {} if path.name == PYPROJECT else found


def _tool(found: Mapping[str, Any]) -> dict[str, Any] | None:
    tool = found.get("tool")
    table = tool.get("mainspring") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error


def _flat(table: Mapping[str, Any], path: Path, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """(name, value) of each setting in a file. Raises: ConfigurationError for an unknown name."""
    for key, value in table.items():
        name = prefix + key
        if name in _SETTINGS:
            yield name, value
        elif isinstance(value, dict) and any(known.startswith(f"{name}.") for known in _SETTINGS):
            yield from _flat(value, path, f"{name}.")
        else:
            near = _nearest(name, _SETTINGS, {known.partition(".")[0] for known in _SETTINGS})
            raise ConfigurationError(f"{place(path, name)}: there is no setting {name!r}.{near}")


def place(path: Path, name: str) -> str:
    """`file:line` of a setting in a file; the file alone when it is not there."""
    keys = (*(_TABLE if path.name == PYPROJECT else ()), *name.split("."))
    line = line_of(path.read_text(encoding="utf-8"), keys)
    return f"{path}:{line}" if line else str(path)


def _fit(setting: Setting, value: Any, said: str, *, strict: bool, path: Path | None = None) -> Any:
    """The value as its type. Raises: ConfigurationError."""
    if not strict and isinstance(value, str) and isinstance(setting.default, tuple):
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return msgspec.convert(value, setting.type_, strict=strict)
    except msgspec.ValidationError as error:
        found = "a secret" if setting.secret else repr(value)
        where = said if path is None else place(path, setting.name)
        raise ConfigurationError(
            f"{setting.name} is {found}, from {where}: {error}. It is: {setting.words} "
            f"The default is {setting.default!r}."
        ) from error


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """A variable of ours that is nearly one of these would be silently without effect."""
    known = [setting.variable for setting in _SETTINGS.values()]
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, 1, _NEAR)
            if near:
                raise ConfigurationError(
                    f"{name} is set, and there is no such variable. Did you mean {near[0]}?"
                )


def _nearest(name: str, known: Iterable[str], groups: Iterable[str] = ()) -> str:
    near = difflib.get_close_matches(name, [*known, *groups], 1, 0.5)
    return f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(known)}."
