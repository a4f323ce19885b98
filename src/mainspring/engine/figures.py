"""What owners have in memory, as figures for those who operate servers. It only looks."""

from __future__ import annotations

from collections.abc import Iterable

from mainspring.engine.owner import Owner
from mainspring.store.environment import EnvironmentRow
from mainspring.telemetry.metrics import Sample


def figures(owners: Iterable[Owner], env: EnvironmentRow) -> list[Sample]:
    """Totals of this server, and the queues of one environment."""
    owned = list(owners)
    samples = [
        Sample(
            "mainspring_commits_total",
            "Commits of this server's shards since it started.",
            sum(owner.commits for owner in owned),
        ),
        Sample(
            "mainspring_audit_differences_total",
            "Differences between memory and tables that were found and healed; must be 0.",
            sum(owner.rounds.differences for owner in owned),
        ),
        Sample(
            "mainspring_shards_owned",
            "Shards that this server answers for.",
            len(owned),
        ),
        Sample(
            "mainspring_runs_active",
            "Runs that hold a slot.",
            sum(len(owner.state.lives) for owner in owned),
        ),
        Sample(
            "mainspring_runs_waiting_in_workers",
            "Runs whose live coroutine waits in a worker without a slot.",
            sum(len(owner.state.holders) for owner in owned),
        ),
        Sample(
            "mainspring_worker_sessions",
            "Sessions of workers, linked or not.",
            sum(len(owner.state.sessions) for owner in owned),
        ),
        Sample(
            "mainspring_triggers_waiting",
            "New runs that wait for their commit.",
            sum(owner.waiting for owner in owned),
        ),
    ]
    samples += _archive(owned)
    for owner in owned[:1]:
        samples += owner.store.shards.figures()  # all of them have the same
    for owner in owned:
        tree = owner.state.core.tree.environments.get(env.env_id)
        for name, queue in sorted(tree.queues.items()) if tree is not None else ():
            labels = (("environment", env.slug), ("queue", name))
            samples += [
                Sample("mainspring_queue_queued", "Runs ready to start.", queue.queued, labels),
                Sample("mainspring_queue_running", "Runs that hold a slot.", queue.running, labels),
            ]
    return samples


def _archive(owners: Iterable[Owner]) -> list[Sample]:
    """What was archived, and whether it works."""
    found = [owner.retention.archiving for owner in owners]
    return [
        Sample(
            "mainspring_archived_total",
            "Runs and batches that were written to the archive.",
            sum(one.archived for one in found),
        ),
        Sample(
            "mainspring_archived_bytes_total",
            "What that took there.",
            sum(one.bytes for one in found),
        ),
        Sample(
            "mainspring_archive_failures_total",
            "How often archiving failed; it is tried again, and nothing is deleted before.",
            sum(one.failures for one in found),
        ),
        Sample(
            "mainspring_archive_failing",
            "Shards whose last archive failed; must be 0, or the database grows.",
            sum(one.is_failing for one in found),
        ),
    ]
