"""The environments of branches of the code: their slugs. No look-up."""

from __future__ import annotations

import re
from typing import Final

from mainspring.errors import InvalidOptions

PREVIEW: Final = "preview"
LENGTH: Final = 50
_OTHER: Final = re.compile(r"[^a-z0-9]+")


def slug_of(branch: str) -> str:
    """The environment of a branch: `Feature/Login` → `preview-feature-login`.

    Raises: InvalidOptions for a name without letters and digits, or a long one.
    """
    name = _OTHER.sub("-", branch.lower()).strip("-")
    if not name or len(name) > LENGTH or len(branch) > 4 * LENGTH:
        raise InvalidOptions(
            f"{branch[:80]!r} names no branch: it needs a letter or digit (a to z, 0 to 9), and "
            f"{LENGTH} characters are the most that may be left of it."
        )
    return f"{PREVIEW}-{name}"


def is_branch(slug: str) -> bool:
    """Whether the environment is that of a branch."""
    return slug.startswith(f"{PREVIEW}-")


def archived(slug: str, env_id: int) -> str:
    """What the environment of an archived branch is called from then on."""
    return f"archived-{env_id}-{slug}"
