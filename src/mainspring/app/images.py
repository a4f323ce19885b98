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
USER nobody
ENTRYPOINT ["mainspring", "worker"]
"""


def build(root: Path, name: str, packed: Packed) -> None:
    """Make an image of the folder: by its own Dockerfile, else of what is in the bundle, as a
    worker. What the engine says goes to stderr.

    Raises: ConfigurationError when there is no engine, or it ends with another status than 0.
    """
    engine = next((found for name_ in ENGINES if (found := shutil.which(name_))), None)
    if engine is None:
        raise ConfigurationError(
            f"There is no container engine here: neither {' nor '.join(ENGINES)} is on PATH. Build "
            f"the image where one is and name it with --image {name}, or deploy without an image."
        )
    if (root / DOCKERFILE).is_file():
        _run(engine, name, root)
        return
    with tempfile.TemporaryDirectory(prefix="mainspring-image-") as place:
        code = Path(place, "code")
        unpack(packed.data, packed.hash, code)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        (code / DOCKERFILE).write_text(_OURS.format(python=python, release=__version__))
        _run(engine, name, code)


def _run(engine: str, name: str, folder: Path) -> None:
    command = [engine, "build", "--tag", name, str(folder)]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=STDERR, check=False)
    if ended.returncode != 0:
        raise ConfigurationError(
            f"`{' '.join(command)}` ended with status {ended.returncode}; nothing was deployed. "
            "What it says stands above."
        )
