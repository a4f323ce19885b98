"""Everything that can be set: name, default, words for people. Nothing is read here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, get_type_hints

from msgspec import Meta

PREFIX: Final = "MAINSPRING_"


@dataclass(frozen=True)
class Said:
    """What people are told of a setting, and its names where they do not follow from its own."""

    words: str
    variable: str = ""
    flag: str = ""
    secret: bool = False


Names = tuple[str, ...]
Count = Annotated[int, Meta(ge=1, le=10_000)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]


@dataclass(frozen=True)
class ServerSettings:
    """The table `[server]`."""

    host: Annotated[str, Said("Address to listen on; 127.0.0.1 is reached from here only.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535), Said("Port; 0 takes a free one.")] = 7420
    address: Annotated[
        str,
        Said("host:port where the other servers of a PostgreSQL reach it; empty: this machine."),
    ] = ""
    allowed_hosts: Annotated[
        Names, Said("Names under which it may be called, besides localhost; `*` is any.")
    ] = ()
    max_connections: Annotated[
        int, Meta(ge=1), Said("Connections at once; further ones are answered 503.")
    ] = 4096
    tls_cert: Annotated[
        str, Said("PEM file with the certificate and its chain; empty: HTTP without TLS.")
    ] = ""
    tls_key: Annotated[str, Said("PEM file with its key; empty: it is in the same file.")] = ""
    requests_per_s: Annotated[
        int, Meta(ge=1), Said("Requests a second with one key; further ones are answered 429.")
    ] = 10_000
    keep_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        Said(
            "Days that runs and tokens stay after their end, with all that is theirs; 0: for ever."
        ),
    ] = 0
    archive: Annotated[
        str,
        Said("Folder or bucket (s3://…) where they are written before that; empty: nowhere."),
    ] = ""
    keep_versions: Annotated[
        int,
        Meta(ge=0, le=1_000_000),
        Said("Newest deployments whose code stays; of others while runs need it. 0: of all."),
    ] = 100
    logs_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        Said("Days that lines and spans of runs stay; 0: as long as their runs."),
    ] = 0
    metrics: Annotated[bool, Said("Whether runs, queues and workers are measured over time.")] = (
        True
    )
    metrics_days: Annotated[
        int,
        Meta(ge=0, le=36_500),
        Said("Days that what is measured stays by the hour (minutes: two days); 0: for ever."),
    ] = 90
    drain_s: Annotated[Seconds, Said("Seconds that requests have to finish at a stop.")] = 10.0
    otlp_endpoint: Annotated[
        str,
        Said("OpenTelemetry collector for the spans and lines of ended runs; empty: none."),
    ] = ""
    otlp_headers: Annotated[
        str, Said("Headers for it, name=value, separated by commas.", secret=True)
    ] = ""
    encryption_keys: Annotated[
        Names,
        Said(
            "Keys of stored variables, base64 of 32 bytes each; the first seals, all open.",
            secret=True,
        ),
    ] = ()
    encryption_key_file: Annotated[
        str, Said("File with such keys, one a line; read anew while the server runs.")
    ] = ""
    access_log: Annotated[bool, Said("Whether each request is a line of the log.")] = True
    pepper: Annotated[
        str,
        Said(
            "Secret under which keys are stored, 32 characters or more; empty: one is made.",
            variable="MAINSPRING_PEPPER",
            secret=True,
        ),
    ] = ""


@dataclass(frozen=True)
class WorkerSettings:
    """The table `[worker]`."""

    slots: Annotated[Count, Said("Runs at once in one child process.")] = 100
    processes: Annotated[Count, Said("Child processes.")] = 1
    drain_s: Annotated[Seconds, Said("Seconds that runs have to finish at a stop.")] = 30.0
    warm_s: Annotated[
        Seconds, Said("Seconds that the process of a waiting run is kept; then it is replayed.")
    ] = 10.0
    parked: Annotated[
        int,
        Meta(ge=0, le=10_000_000),
        Said("Waiting runs in the memory of one child process; beyond, it is replaced."),
    ] = 20_000
    memory_mb: Annotated[
        int,
        Meta(ge=0),
        Said("MiB that a child process with waiting runs may take before it is replaced; 0: any."),
    ] = 0


@dataclass(frozen=True)
class TaskSettings:
    """The table `[tasks]`."""

    dirs: Annotated[Names, Said("Folders that are searched for tasks.")] = (".",)
    ignore: Annotated[Names, Said("Patterns of files and folders that are passed over.")] = ()


@dataclass(frozen=True)
class Settings:
    """All settings."""

    url: Annotated[str, Said("The server to talk to.")] = "http://127.0.0.1:7420"
    secret_key: Annotated[
        str, Said("The key of an environment of that server.", flag="--key", secret=True)
    ] = ""
    environment: Annotated[str, Said("Its slug; empty: the one that the key names.")] = ""
    database: Annotated[
        str,
        Said(
            "Where the server keeps its state, a path or postgresql://…; empty: in .mainspring.",
            variable="MAINSPRING_DATABASE_URL",
        ),
    ] = ""
    tasks: TaskSettings = field(default_factory=TaskSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)


@dataclass(frozen=True)
class Setting:
    """One setting. `name` has the form `server.port`, `type_` is its annotation."""

    name: str
    type_: Any
    default: Any
    words: str
    variable: str
    flag: str
    secret: bool


def every_setting() -> Iterator[Setting]:
    """All settings in the order of their tables."""
    return _of(Settings, "")


def _of(table: type, prefix: str) -> Iterator[Setting]:
    types = get_type_hints(table, include_extras=True)
    for found in dataclasses.fields(table):
        name = prefix + found.name
        if dataclasses.is_dataclass(types[found.name]):
            yield from _of(types[found.name], f"{name}.")
            continue
        said = next(note for note in types[found.name].__metadata__ if isinstance(note, Said))
        yield Setting(
            name=name,
            type_=types[found.name],
            default=found.default,
            words=said.words,
            variable=said.variable or PREFIX + name.upper().replace(".", "_"),
            flag=said.flag or "--" + found.name.replace("_", "-"),
            secret=said.secret,
        )
