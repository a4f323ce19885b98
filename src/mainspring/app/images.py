"""Container images of deployed code, made by the engine of this machine. Prints nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from mainspring import __version__
from mainspring.errors import ConfigurationError
from mainspring.worker.bundle import Packed, unpack

ENGINES: Final = ("docker", "podman")
DOCKERFILE: Final = "Dockerfile"
STDERR: Final = 2
_OURS: Final = """\
FROM python:{python}-slim
WORKDIR /app
COPY . .
RUN pip install --no-cache-dir mainspring=={release} && \\
    if [ -f requirements.txt ]; then pip install --no-cache-dir -r requirements.txt; fi
USER 65534
ENTRYPOINT ["mainspring", "worker"]
"""


def build(root: Path, name: str, packed: Packed) -> None:
    """Make an image of the folder: by its own Dockerfile, else of what is in the bundle, as a
    worker. What the engine says goes to stderr.

    Raises: ConfigurationError when there is no engine, or it ends with another status than 0.
    """
    engine = _engine(name)
    if (root / DOCKERFILE).is_file():
        _run(engine, name, root)
        return
    with tempfile.TemporaryDirectory(prefix="mainspring-image-") as place:
        code = Path(place, "code")
        unpack(packed.data, packed.hash, code)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        (code / DOCKERFILE).write_text(_OURS.format(python=python, release=__version__))
        _run(engine, name, code)


def _engine(name: str) -> str:
    """The first engine that answers: docker may be there without its daemon."""
    otherwise = (
        f"Build the image where one is and name it with --image {name}, without --build; or leave "
        "both out: `mainspring worker --deployed` runs the code without an image."
    )
    silent = []
    for engine in filter(None, map(shutil.which, ENGINES)):
        asked = subprocess.run(
            [engine, "version"], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if asked.returncode == 0:
            return engine
        said = asked.stderr.decode(errors="replace").strip().splitlines()[-1:]
        silent.append(f"`{engine} version` ended with {asked.returncode}: {' '.join(said)}")
    if silent:
        raise ConfigurationError(
            f"The container engine does not answer; start it. {'; '.join(silent)}. {otherwise}"
        )
    raise ConfigurationError(
        f"There is no container engine here: neither {' nor '.join(ENGINES)} is on PATH, so that "
        f"nothing was built or deployed. {otherwise}"
    )


def _run(engine: str, name: str, folder: Path) -> None:
    command = [engine, "build", "--tag", name, str(folder)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=STDERR, check=False)
    if ended.returncode != 0:
        raise ConfigurationError(
            f"`{' '.join(command)}` ended with status {ended.returncode}; nothing was deployed. "
            "What it says stands above."
        )
