"""The collector of OpenTelemetry that the settings name."""

from __future__ import annotations

from typing import Final

from mainspring.errors import ConfigurationError
from mainspring.settings import ServerSettings
from mainspring.telemetry.otlp import Collector, headers

SERVICE: Final = "mainspring"


def collector_at(settings: ServerSettings) -> Collector:
    """The collector. Raises: ConfigurationError."""
    if not settings.otlp_endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"server.otlp_endpoint is {settings.otlp_endpoint!r}; expected an address such as "
            "http://127.0.0.1:4318, where a collector takes OTLP over HTTP."
        )
    try:
        given = headers(settings.otlp_headers)
    except ValueError as error:
        raise ConfigurationError(f"server.otlp_headers: {error}") from error
    return Collector(settings.otlp_endpoint, given, SERVICE)
