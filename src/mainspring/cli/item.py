"""What commands print: an item with the fields of the API, and how people see each field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Item = Mapping[str, Any]
Columns = Mapping[str, Callable[[Item], str]]
"""Titles, and how each is read from an item."""
