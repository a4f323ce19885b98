"""What a role must allow for each request of `wire.calls`, and which the audit log tells."""

from __future__ import annotations

from typing import Final

from mainspring.wire import (
    calls,
    deploying,
    environments,
    measuring,
    observing,
    operating,
)

_READS: Final = ("List", "Get", "Retrieve", "Await", "Explain", "Read", "Find")
_PERMITS: Final[dict[type, tuple[str, str]]] = {
    calls.Trigger: ("trigger", "tasks"),
    calls.CreateBatch: ("trigger", "tasks"),
    calls.AddItems: ("trigger", "tasks"),
    calls.CancelRun: ("cancel", "runs"),
    calls.ReplayRun: ("replay", "runs"),
    calls.RestartRun: ("replay", "runs"),
    calls.RescheduleRun: ("write", "runs"),
    calls.AddTags: ("write", "runs"),
    calls.ResetKey: ("write", "runs"),
    calls.SettleRun: ("write", "runs"),
    calls.UpdateMetadata: ("write", "runs"),
    calls.SendInput: ("write", "streams"),
    calls.AppendChunks: ("write", "streams"),
    calls.EmitEvent: ("write", "events"),
    calls.CreateToken: ("write", "waitpoints"),
    calls.GetToken: ("read", "waitpoints"),
    calls.ListTokens: ("read", "waitpoints"),
    calls.CompleteToken: ("write", "waitpoints"),
    calls.PauseQueue: ("write", "queues"),
    calls.SetQueue: ("write", "queues"),
    operating.StartBulk: ("write", "bulk"),
    operating.AbortBulk: ("write", "bulk"),
    operating.SetSchedule: ("write", "schedules"),
    operating.SwitchSchedule: ("write", "schedules"),
    operating.DeleteSchedule: ("write", "schedules"),
    operating.RunSchedule: ("trigger", "tasks"),
    operating.NextTicks: ("read", "schedules"),
    operating.PauseEnvironment: ("write", "queues"),
    environments.GetEnvironment: ("read", "queues"),
    environments.SetEnvironment: ("write", "queues"),
    environments.ArchiveEnvironment: ("write", "deployments"),
    environments.CreateBranch: ("write", "deployments"),
    environments.ListBranches: ("read", "deployments"),
    operating.InspectRun: ("read", "runs"),
    operating.TraceRun: ("read", "runs"),
    operating.CurrentDeployment: ("read", "deployments"),
    deploying.Deploy: ("write", "deployments"),
    deploying.Promote: ("write", "deployments"),
    deploying.Rollback: ("write", "deployments"),
    deploying.CarryRuns: ("write", "deployments"),
    deploying.GetDeployment: ("read", "deployments"),
    deploying.GetBundle: ("write", "workers"),
    deploying.ListWaiting: ("read", "runs"),
    observing.CountRuns: ("read", "runs"),
    observing.ListBatches: ("read", "batch"),
    observing.ListWorkers: ("read", "workers"),
    observing.FindLines: ("read", "runs"),
    measuring.CountLines: ("read", "runs"),
    measuring.ListMetrics: ("read", "metrics"),
    measuring.ReadMetric: ("read", "metrics"),
    measuring.TakeTelemetry: ("write", "metrics"),
    observing.ListErrors: ("read", "errors"),
    observing.GetError: ("read", "errors"),
    observing.MarkError: ("write", "errors"),
    calls.ListVariables: ("read", "envvars"),
    calls.SetVariables: ("write", "envvars"),
    calls.DropVariable: ("write", "envvars"),
}
_AUDITED: Final[dict[type, str]] = {
    calls.PauseQueue: "queues.pause",
    calls.SetQueue: "queues.override",
    operating.StartBulk: "bulk.post",
    operating.AbortBulk: "bulk.abort",
    operating.SetSchedule: "schedules.put",
    operating.SwitchSchedule: "schedules.switch",
    operating.DeleteSchedule: "schedules.delete",
    operating.PauseEnvironment: "queues.pause",
    environments.SetEnvironment: "queues.limits",
    environments.ArchiveEnvironment: "deployments.archive",
    environments.CreateBranch: "deployments.branches",
    deploying.Deploy: "deployments.deploy",
    deploying.Promote: "deployments.promote",
    deploying.Rollback: "deployments.rollback",
    deploying.CarryRuns: "deployments.carry",
    observing.MarkError: "errors.mark",
    calls.SetVariables: "envvars.set",
    calls.DropVariable: "envvars.delete",
}


def needs(request: calls.Request) -> tuple[str, str]:
    """The action and resource. What is not listed here and does not read is for admins."""
    found = _PERMITS.get(type(request))
    if found is not None:
        return found
    return ("read", "runs") if type(request).__name__.startswith(_READS) else ("write", "other")


def audited(request: calls.Request) -> tuple[str, str] | None:
    """What the audit log calls it, and of what; None = it is not told."""
    what = _AUDITED.get(type(request))
    return (
        None
        if what is None
        else (what, str(getattr(request, "name", "") or getattr(request, "id", "")))
    )
