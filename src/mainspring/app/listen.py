"""The socket that a server listens on, made before anything else starts. It serves nothing."""

from __future__ import annotations

import errno
import socket

from mainspring.errors import ConfigurationError, PortTaken


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes any free one.

    Raises: PortTaken, ConfigurationError for an address that is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} of {host} is in use by another process. Stop that one, or choose a "
                "free port."
            ) from error
        raise ConfigurationError(
            f"Cannot listen on {host}, port {port}: {error}. Expected an address of this machine, "
            "such as 127.0.0.1, and a port from 0 to 65535."
        ) from error
    bound.setblocking(False)
    return bound


def url_of(bound: socket.socket) -> str:
    """Where clients on this machine reach the socket."""
    host, port = bound.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
