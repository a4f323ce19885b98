"""The code of a project as one file, the same bytes for the same content, and back. No network."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from mainspring.errors import ConfigurationError, PayloadTooLarge
from mainspring.model.deployment import BUNDLE_LIMIT
from mainspring.worker.ignored import FILES, Pattern, ignored, patterns

VENV: Final = "pyvenv.cfg"
"""Lies in every virtual environment."""
_BIGGEST: Final = 5
_UNPACKED: Final = 16 * BUNDLE_LIMIT
"""Bytes that a bundle may unpack to; a small one may claim to hold any number."""


class Packed(Struct, frozen=True):
    """A bundle: the bytes of a tar.gz, their SHA-256 in hex, and which files are in it."""

    data: bytes
    hash: str
    files: tuple[str, ...]


def pack(root: Path, secret: str | None = None) -> Packed:
    """Everything below `root` but what `ignored` leaves out; links are followed within it.

    Times, owners and the order of folders leave no trace. Raises: ConfigurationError for a folder
    without files, a link that leads out, and a file that holds `secret`; PayloadTooLarge with the
    largest files.
    """
    top = root.resolve()
    found = list(_files(top, "", _patterns(top)))
    if not found:
        raise ConfigurationError(
            f"There is no file to deploy in {root}: what is hidden, looks like a secret, or is "
            "named by .gitignore or .mainspringignore stays out. "
            "`mainspring init` writes first tasks."
        )
    buffer, sizes = io.BytesIO(), []
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in found:
            data = (top / name).read_bytes()
            if secret and secret.encode() in data:
                raise ConfigurationError(
                    f"{name} holds the secret key of the server, and would be deployed with it. "
                    "Take it out, or name the file in .mainspringignore."
                )
            sizes.append((len(data), name))
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o755 if os.access(top / name, os.X_OK) else 0o644
            tar.addfile(info, io.BytesIO(data))
    packed = buffer.getvalue()
    if len(packed) > BUNDLE_LIMIT:
        listed = ", ".join(
            f"{name} ({size:,} bytes)" for size, name in sorted(sizes)[: -_BIGGEST - 1 : -1]
        )
        raise PayloadTooLarge(
            f"The bundle has {len(packed):,} bytes, at most {BUNDLE_LIMIT:,} are allowed. The "
            f"largest files are {listed}; leave out what tasks do not need in .mainspringignore."
        )
    return Packed(packed, hashlib.sha256(packed).hexdigest(), tuple(found))


def unpack(data: bytes, hash_: str, into: Path) -> None:
    """Write the files of a bundle below `into`, which is made.

    Raises: ConfigurationError for bytes that are not what the hash says, or no bundle.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != hash_:
        raise ConfigurationError(
            f"The bundle has the hash {found[:12]}… and should have {hash_[:12]}…; it is not used. "
            "Something has changed it on its way or in the store: deploy the code again."
        )
    into.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            total = 0
            for member in tar:
                total += member.size
                if not member.isreg() or total > _UNPACKED:
                    raise tarfile.TarError(f"{member.name} is no file, or too large")
                tar.extract(member, into, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ConfigurationError(f"The bundle cannot be unpacked: {error}.") from error


def _patterns(top: Path) -> list[Pattern]:
    lines: list[str] = []
    for name in FILES:
        path = top / name
        if path.is_file():
            lines += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return patterns(lines)


def _files(top: Path, below: str, own: list[Pattern]) -> Iterator[str]:
    """The names of the files, in order."""
    for entry in sorted(os.scandir(top / below), key=lambda entry: entry.name):
        name = f"{below}{entry.name}"
        if ignored(name, entry.is_dir(), own):
            continue
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(top):
            raise ConfigurationError(
                f"{name} is a link that leads out of {top}; copy what it names, or name it in "
                ".mainspringignore."
            )
        if entry.is_file():
            yield name
        elif entry.is_dir() and not entry.is_symlink() and not Path(entry.path, VENV).is_file():
            yield from _files(top, f"{name}/", own)
