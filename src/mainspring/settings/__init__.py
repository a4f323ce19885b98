"""Settings: what can be set, and reading it from flags, environment and files. No use of them."""

from mainspring.settings.read import Loaded, Origin, load, place
from mainspring.settings.values import ServerSettings, Settings, TaskSettings, WorkerSettings

__all__ = [
    "Loaded",
    "Origin",
    "ServerSettings",
    "Settings",
    "TaskSettings",
    "WorkerSettings",
    "load",
    "place",
]
