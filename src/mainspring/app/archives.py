"""The place that the settings name for archives."""

from __future__ import annotations

import importlib

from mainspring.errors import ConfigurationError
from mainspring.store.archives import Depot


def depot_at(text: str) -> Depot:
    """What writes archives to that folder or bucket; nothing is written yet.

    Raises: ConfigurationError when pyarrow is not installed, and for a URL of another kind.
    """
    try:  # by name: who archives nothing neither needs nor loads it
        module = importlib.import_module("mainspring.store.parquet")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("mainspring"):
            raise
        raise ConfigurationError(
            "server.archive is set, and what writes Parquet is not installed. Run: pip install "
            "'mainspring[archive]'. Or leave server.archive empty, and old runs are deleted only."
        ) from error
    depot: Depot = module.ParquetDepot(text)
    return depot
