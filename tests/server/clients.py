"""Clients of a server of a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2


def plain(url: str, headers: Mapping[str, str], **options: Any) -> httpx2.AsyncClient:
    """A client without TLS: reading certificates takes longer than most tests."""
    return httpx2.AsyncClient(base_url=url, headers=headers, verify=False, **options)
