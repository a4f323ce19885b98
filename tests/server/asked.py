"""What each route is asked with, given the names of somebody's things."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec

from mainspring.model.run import RunFilter, TriggerOptions, TriggerRequest
from mainspring.wire import calls, deploying, operating
from mainspring.wire.worker import Op
from tests.server.tenants import BUNDLE, Ids


class Ask(msgspec.Struct):
    """One request. `own` = what it is answered when the things are one's own; 0 = that depends.
    A `cursor` divides one's own things where it stands, also when it is foreign.
    """

    path: str
    json: Any = None
    content: bytes | None = None
    headers: dict[str, str] = {}
    params: dict[str, str] = {}
    own: int = 200
    cursor: bool = False


def q(text: str) -> str:
    return quote(text, safe="")


def line(**item: Any) -> bytes:
    return json.dumps(item).encode()


NDJSON = {"content-type": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
Of = Callable[[Ids], list[Ask]]


def _run(suffix: str, **more: Any) -> Of:
    return lambda ids: [Ask(f"/api/v1/runs/{ids.run}{suffix}", **more)]


def _error(suffix: str) -> Of:
    return lambda ids: [Ask(f"/api/mainspring/v1/errors/{ids.error}{suffix}")]


def _spans(ids: Ids) -> Any:
    """A span of a program that claims to be below somebody's."""
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "parentSpanId": ids.span, "name": "stranger"}
    times = {"startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span | times]}]}]}


def _filters(ids: Ids) -> list[dict[str, str]]:
    return [
        {"filter[tag]": ids.tag}, {"filter[taskIdentifier]": ids.task},
        {"filter[batch]": ids.batch}, {"filter[bulkAction]": ids.bulk},
        {"filter[schedule]": ids.schedule}, {"filter[queue]": ids.queue},
        {"page[after]": ids.delayed, "filter[tag]": ids.tag}, {"page[before]": ids.run},
        {"page[after]": ids.ended}, {"filter[version]": "v-theirs"},
        {"filter[error]": "Errortheirs"},
    ]  # fmt: skip


def _list(path: str, params: dict[str, str]) -> Ask:
    return Ask(path, params=params, cursor=any(name.startswith("page[") for name in params))


def _call(*requests: Callable[[Ids], calls.Request]) -> Of:
    def of(ids: Ids) -> list[Ask]:
        return [
            Ask(
                "/api/mainspring/v1/call",
                content=msgspec.msgpack.encode(request),
                own=0,
                cursor=bool(getattr(request, "after", 0)),
            )
            for request in [make(ids) for make in requests]
        ]

    return of


def _trigger(ids: Ids, **options: Any) -> calls.Request:
    return calls.Trigger([TriggerRequest("work", "1", TriggerOptions(**options))])


CALLS = _call(
    lambda ids: calls.Retrieve(ids.run),
    lambda ids: calls.AwaitRun(ids.run, 0),
    lambda ids: calls.AwaitRun(ids.ended, 0),
    lambda ids: calls.AwaitRuns(run_id=ids.run),
    lambda ids: calls.AwaitRuns(batch_id=ids.batch),
    lambda ids: calls.AwaitRuns(batch_id=ids.batch, after=1),
    lambda ids: calls.AwaitRuns(tags=(ids.tag,)),
    lambda ids: calls.ListRuns(RunFilter(tag=(ids.tag,))),
    lambda ids: calls.ListRuns(RunFilter(batch_id=ids.batch)),
    lambda ids: calls.ListRuns(RunFilter(before=ids.run, tag=(ids.tag,))),
    lambda ids: calls.CancelRun(ids.run),
    lambda ids: calls.CancelRun(ids.delayed),
    lambda ids: calls.ReplayRun(ids.ended),
    lambda ids: calls.RescheduleRun(ids.delayed, delay_ms=5),
    lambda ids: calls.AddTags(ids.run, ("new",)),
    lambda ids: calls.ResetKey(ids.task, ids.key),
    lambda ids: calls.ExplainRun(ids.run),
    lambda ids: calls.ListLogs(ids.run),
    lambda ids: calls.ListLogs(ids.ended),
    lambda ids: calls.GetOutcomes([ids.ended, ids.run]),
    lambda ids: calls.ListJournal(ids.run),
    lambda ids: calls.RestartRun(ids.ended),
    lambda ids: calls.SettleRun(ids.run, "fail"),
    lambda ids: calls.GetToken(ids.token),
    lambda ids: calls.GetToken(ids.done_token),
    lambda ids: calls.CompleteToken(ids.token, "1"),
    lambda ids: calls.ListTokens(tags=(ids.tag,)),
    lambda ids: calls.ListTokens(after=ids.done_token),
    lambda ids: calls.SendInput(ids.run, "in", "1"),
    lambda ids: calls.UpdateMetadata(ids.run, [Op("set", "a", "1")]),
    lambda ids: calls.AppendChunks(ids.run, ids.stream, ["1"], "w"),
    lambda ids: calls.FindStream(ids.run, ids.stream, "w"),
    lambda ids: calls.ReadStream(ids.run, ids.stream, 0, 10),
    lambda ids: calls.ReadStream(ids.run, "in", 0, 10, 0, True),
    lambda ids: calls.FindRun(ids.run),
    lambda ids: calls.AddItems(ids.open_batch, [_item(ids)]),
    lambda ids: calls.RetrieveBatch(ids.batch),
    lambda ids: calls.ListBatchRuns(ids.batch),
    lambda ids: calls.CreateBatch(1, parent_id=ids.run),
    lambda ids: calls.CreateBatch(1, idempotency_key=ids.key),
    lambda ids: _trigger(ids, parent_id=ids.run),
    lambda ids: _trigger(ids, parent_id=ids.delayed),
    lambda ids: _trigger(ids, upload=ids.path),
    lambda ids: operating.InspectRun(ids.run),
    lambda ids: operating.TraceRun(ids.run),
    lambda ids: operating.TraceRun(ids.run, ids.span),
    lambda ids: operating.GetBulk(ids.bulk),
    lambda ids: operating.AbortBulk(ids.bulk),
    lambda ids: operating.ListBulks(after=ids.bulk),
    lambda ids: operating.StartBulk("cancel", run_ids=(ids.run, ids.delayed)),
    lambda ids: operating.StartBulk("cancel", RunFilter(tag=(ids.tag,))),
    lambda ids: operating.GetSchedule(ids.schedule),
    lambda ids: operating.SwitchSchedule(ids.schedule, active=False),
    lambda ids: operating.DeleteSchedule(ids.schedule),
    lambda ids: operating.SetSchedule("work", "0 5 * * *", id=ids.schedule),
    lambda ids: operating.ListDeployments(after=ids.deployment),
    lambda ids: deploying.GetDeployment(ids.deployment),
    lambda ids: deploying.Promote(ids.deployment),
    lambda ids: deploying.CarryRuns(ids.deployment, [ids.run]),
    lambda ids: calls.PauseQueue(ids.queue_name, paused=True),
    lambda ids: calls.ListKeys(ids.queue_name),
)


def _item(ids: Ids) -> calls.BatchItem:
    return calls.BatchItem(1, TriggerRequest("work", "1"))


def _targets(of: Callable[[Ids, str], list[Ask]]) -> Of:
    return lambda ids: [
        ask
        for run in (ids.run, ids.child)
        for target in ("self", "parent", "root")
        for ask in of(ids, f"/realtime/v1/streams/{run}/{target}/{ids.stream}")
    ]


def _electric(path: Callable[[Ids], str], **params: str) -> Of:
    """The beginning, and a later place of somebody else's shape."""
    return lambda ids: [
        Ask(path(ids), params=params | more)
        for more in ({}, {"offset": "-1"}, {"offset": "0_0", "handle": "0-1", "log": "full"})
    ]


ROUTES: dict[str, Of] = {
    "POST /api/v1/tasks/{task}/trigger": lambda ids: [
        Ask(f"/api/v1/tasks/{ids.task}/trigger", {"payload": 1}),
        *(
            Ask("/api/v1/tasks/work/trigger", {"payload": 1, "options": options}, own=own)
            for options, own in (
                ({"parentRunId": ids.run}, 200),
                ({"parentRunId": ids.delayed}, 200),
                ({"parentRunId": ids.run, "resumeParentOnCompletion": True}, 501),
                ({"parentBatch": ids.batch}, 0),
                ({"bulkActionId": ids.bulk}, 200),
                ({"queue": {"name": ids.queue}}, 200),
            )
        ),
        Ask(
            "/api/v1/tasks/work/trigger",
            {"payload": ids.path, "options": {"payloadType": "application/store"}},
            own=0,
        ),
    ],
    "POST /api/v1/tasks/{task}/batch": lambda ids: [
        Ask(f"/api/v1/tasks/{ids.task}/batch", {"items": [{"payload": 1}]}, own=202),
        Ask(
            "/api/v1/tasks/work/batch",
            {"items": [{"payload": 1, "options": {"parentRunId": ids.run}}]},
            own=202,
        ),
    ],
    "POST /api/v2/tasks/batch": lambda ids: [
        Ask("/api/v2/tasks/batch", {"items": [{"task": ids.task, "payload": 1}]}, own=202),
        Ask(
            "/api/v2/tasks/batch",
            {"items": [{"task": "work", "payload": 1}], "parentRunId": ids.run},
            own=202,
        ),
    ],
    "POST /api/v3/batches": lambda ids: [
        Ask("/api/v3/batches", {"runCount": 1, "parentRunId": ids.run}, own=202)
    ],
    "POST /api/v3/batches/{batch}/items": lambda ids: [
        Ask(
            f"/api/v3/batches/{batch}/items",
            content=line(index=1, task="work", payload=1),
            headers=NDJSON,
        )
        for batch in (ids.open_batch, ids.batch)
    ],
    "GET /api/v2/batches/{batch}": lambda ids: [Ask(f"/api/v2/batches/{ids.batch}")],
    "GET /api/v1/batches/{batch}": lambda ids: [Ask(f"/api/v1/batches/{ids.batch}")],
    "GET /api/v1/batches/{batch}/results": lambda ids: [
        Ask(f"/api/v1/batches/{ids.batch}/results")
    ],
    "GET /api/v1/runs": lambda ids: [_list("/api/v1/runs", one) for one in _filters(ids)],
    "GET /api/v1/projects/{project}/runs": lambda ids: [
        *(_list("/api/v1/projects/p/runs", one) for one in _filters(ids)),
        Ask("/api/v1/projects/p/runs", params={"filter[env]": ids.slug}),
    ],
    "GET /api/v3/runs/{run}": lambda ids: [
        Ask(f"/api/v3/runs/{id_}") for id_ in (ids.run, ids.child, ids.ended, ids.delayed)
    ],
    "POST /api/v2/runs/{run}/cancel": lambda ids: [
        Ask(f"/api/v2/runs/{id_}/cancel") for id_ in (ids.ended, ids.child)
    ],
    "POST /api/v1/runs/{run}/replay": lambda ids: [Ask(f"/api/v1/runs/{ids.ended}/replay")],
    "POST /api/v1/runs/{run}/reschedule": lambda ids: [
        Ask(f"/api/v1/runs/{ids.delayed}/reschedule", {"delay": "2h"})
    ],
    "POST /api/v1/runs/{run}/tags": _run("/tags", json={"tags": ["more"]}),
    "GET /api/v1/runs/{run}/result": lambda ids: [Ask(f"/api/v1/runs/{ids.ended}/result")],
    "POST /api/v1/idempotencyKeys/{key}/reset": lambda ids: [
        Ask(f"/api/v1/idempotencyKeys/{q(ids.key)}/reset", {"taskIdentifier": ids.task})
    ],
    "GET /api/v1/queues": lambda ids: [Ask("/api/v1/queues")],
    "GET /api/v1/queues/{queue}": lambda ids: [Ask(f"/api/v1/queues/{ids.queue}")],
    "POST /api/v1/queues/{queue}/pause": lambda ids: [
        Ask(f"/api/v1/queues/{ids.queue}/pause", {"action": "pause"})
    ],
    "POST /api/v1/queues/{queue}/concurrency/override": lambda ids: [
        Ask(f"/api/v1/queues/{ids.queue}/concurrency/override", {"concurrencyLimit": 1})
    ],
    "POST /api/v1/queues/{queue}/concurrency/reset": lambda ids: [
        Ask(f"/api/v1/queues/{ids.queue}/concurrency/reset", {})
    ],
    "POST /api/v1/bulk-actions": lambda ids: [
        Ask("/api/v1/bulk-actions", {"action": action, **about}, own=202)
        for action in ("replay", "cancel")
        for about in (
            {"runIds": [ids.run, ids.delayed]},
            {"filter": {"tag": ids.tag}},
            {"filter": {"batch": ids.batch}},
            {"filter": {"taskIdentifier": [ids.task]}},
        )
    ],
    "GET /api/v1/bulk-actions": lambda ids: [
        Ask("/api/v1/bulk-actions"),
        _list("/api/v1/bulk-actions", {"page[after]": ids.bulk}),
        _list("/api/v1/bulk-actions", {"page[before]": ids.bulk}),
    ],
    "GET /api/v1/bulk-actions/{action}": lambda ids: [Ask(f"/api/v1/bulk-actions/{ids.bulk}")],
    "POST /api/v1/bulk-actions/{action}/abort": lambda ids: [
        Ask(f"/api/v1/bulk-actions/{ids.bulk}/abort")
    ],
    "POST /api/v1/schedules": lambda ids: [
        Ask(
            "/api/v1/schedules",
            {"task": ids.task, "cron": "0 4 * * *", "deduplicationKey": f"new {ids.task}"},
            own=0,
        )
    ],
    "GET /api/v1/schedules": lambda ids: [Ask("/api/v1/schedules", params={"perPage": "100"})],
    "GET /api/v1/schedules/{schedule}": lambda ids: [Ask(f"/api/v1/schedules/{ids.schedule}")],
    "PUT /api/v1/schedules/{schedule}": lambda ids: [
        Ask(f"/api/v1/schedules/{ids.schedule}", {"task": "work", "cron": "0 5 * * *"})
    ],
    "POST /api/v1/schedules/{schedule}/run": lambda ids: [
        Ask(f"/api/v1/schedules/{ids.schedule}/run", own=0)
    ],
    "GET /api/v1/schedules/{schedule}/next": lambda ids: [
        Ask(f"/api/v1/schedules/{ids.schedule}/next")
    ],
    "POST /api/v1/schedules/{schedule}/deactivate": lambda ids: [
        Ask(f"/api/v1/schedules/{ids.schedule}/deactivate")
    ],
    "POST /api/v1/schedules/{schedule}/activate": lambda ids: [
        Ask(f"/api/v1/schedules/{ids.schedule}/activate")
    ],
    "DELETE /api/v1/schedules/{schedule}": lambda ids: [Ask(f"/api/v1/schedules/{ids.schedule}")],
    "GET /api/v1/deployments": lambda ids: [
        Ask("/api/v1/deployments"),
        _list("/api/v1/deployments", {"page[after]": ids.deployment}),
    ],
    "GET /api/v1/deployments/{deployment}": lambda ids: [
        Ask(f"/api/v1/deployments/{id_}") for id_ in (ids.deployment, ids.pending)
    ],
    "GET /api/v1/deployments/latest": lambda ids: [Ask("/api/v1/deployments/latest")],
    "POST /api/v1/deployments": lambda ids: [
        Ask("/api/v1/deployments", {"contentHash": "a" * 64, "externalId": ids.deployment})
    ],
    "PUT /api/v1/deployments/{deployment}/bundle": lambda ids: [
        Ask(f"/api/v1/deployments/{ids.pending}/bundle", content=BUNDLE)
    ],
    "POST /api/v1/deployments/{deployment}/finalize": lambda ids: [
        Ask(
            f"/api/v1/deployments/{ids.pending}/finalize",
            {"tasks": [{"id": "work"}], "skipPromotion": True},
        )
    ],
    "POST /api/v1/deployments/{deployment}/promote": lambda ids: [
        Ask(f"/api/v1/deployments/{ids.deployment}/promote")
    ],
    "POST /api/v1/deployments/rollback": lambda ids: [Ask("/api/v1/deployments/rollback", own=0)],
    "DELETE /api/v1/deployments/current": lambda ids: [Ask("/api/v1/deployments/current")],
    "GET /api/v1/deployments/current": lambda ids: [Ask("/api/v1/deployments/current")],
    "GET /api/mainspring/v1/metrics": lambda ids: [Ask("/api/mainspring/v1/metrics")],
    "GET /api/mainspring/v1/metrics/{metric}": lambda ids: [
        Ask("/api/mainspring/v1/metrics/runs.ended", params={"where": f"task:{ids.task}"}),
        Ask("/api/mainspring/v1/metrics/queue.queued", params={"where": f"queue:{ids.queue_name}"}),
    ],
    "GET /api/mainspring/v1/logs": lambda ids: [
        Ask("/api/mainspring/v1/logs", params=params)
        for params in ({}, {"text": "canary"}, {"task": ids.task})
    ],
    "GET /api/mainspring/v1/logs/counts": lambda ids: [
        Ask("/api/mainspring/v1/logs/counts", params={"task": ids.task})
    ],
    "GET /api/mainspring/v1/runs/{run}/logs": lambda ids: [
        Ask(f"/api/mainspring/v1/runs/{ids.run}/logs")
    ],
    "GET /api/mainspring/v1/errors": lambda ids: [
        Ask("/api/mainspring/v1/errors"),
        Ask("/api/mainspring/v1/errors", params={"task": ids.task}),
    ],
    "GET /api/mainspring/v1/errors/{error}": _error(""),
    "POST /api/mainspring/v1/errors/{error}/resolve": _error("/resolve"),
    "POST /api/mainspring/v1/errors/{error}/mute": _error("/mute"),
    "POST /api/mainspring/v1/errors/{error}/reopen": _error("/reopen"),
    "POST /otel/v1/traces": lambda ids: [Ask("/otel/v1/traces", _spans(ids))],
    "POST /otel/v1/logs": lambda ids: [Ask("/otel/v1/logs", {"resourceLogs": []})],
    "POST /otel/v1/metrics": lambda ids: [Ask("/otel/v1/metrics", {"resourceMetrics": []})],
    "GET /api/v1/runs/{run}/trace": _run("/trace"),
    "GET /api/v1/runs/{run}/spans/{span}": lambda ids: [
        Ask(f"/api/v1/runs/{ids.run}/spans/{ids.span}")
    ],
    "GET /api/mainspring/v1/environment": lambda ids: [Ask("/api/mainspring/v1/environment")],
    "POST /api/mainspring/v1/environment/limits": lambda ids: [
        Ask("/api/mainspring/v1/environment/limits", {"concurrencyLimit": None, "burst": 1})
    ],
    "POST /api/mainspring/v1/environment/archive": lambda ids: [
        Ask("/api/mainspring/v1/environment/archive", own=400)
    ],
    "GET /api/mainspring/v1/branches": lambda ids: [Ask("/api/mainspring/v1/branches", own=400)],
    "POST /api/mainspring/v1/branches": lambda ids: [
        Ask("/api/mainspring/v1/branches", {"branch": "x"}, own=400)
    ],
    "POST /api/mainspring/v1/environment/pause": lambda ids: [
        Ask("/api/mainspring/v1/environment/pause", {"action": "resume"})
    ],
    "GET /api/v1/runs/{run}/metadata": _run("/metadata"),
    "PUT /api/v1/runs/{run}/metadata": lambda ids: [
        Ask(f"/api/v1/runs/{ids.run}/metadata", {"metadata": {"new": 1}}),
        Ask(
            f"/api/v1/runs/{ids.child}/metadata",
            {"parentOperations": [{"type": "set", "key": "a", "value": 1}]},
        ),
    ],
    "POST /api/v1/waitpoints/tokens": lambda ids: [
        Ask("/api/v1/waitpoints/tokens", {"tags": [ids.tag]})
    ],
    "GET /api/v1/waitpoints/tokens": lambda ids: [
        _list("/api/v1/waitpoints/tokens", params)
        for params in (
            {"filter[tags]": ids.tag},
            {"page[after]": ids.token},
            {"page[before]": ids.token},
            {"filter[idempotencyKey]": f"{ids.key}"},
        )
    ],
    "GET /api/v1/waitpoints/tokens/{token}": lambda ids: [
        Ask(f"/api/v1/waitpoints/tokens/{id_}") for id_ in (ids.token, ids.done_token)
    ],
    "POST /api/v1/waitpoints/tokens/{token}/complete": lambda ids: [
        Ask(f"/api/v1/waitpoints/tokens/{ids.token}/complete", {"data": 1})
    ],
    "POST /realtime/v1/streams/{run}/input/{stream}": lambda ids: [
        Ask(f"/realtime/v1/streams/{ids.run}/input/in", {"data": 1})
    ],
    "POST /api/mainspring/v1/runs/{run}/inputs/{stream}": lambda ids: [
        Ask(f"/api/mainspring/v1/runs/{ids.run}/inputs/in", {"data": 1})
    ],
    "POST /api/mainspring/v1/events/{name}": lambda ids: [
        Ask(f"/api/mainspring/v1/events/{q(ids.tag)}", {"payload": 1})
    ],
    "GET /api/v1/runs/{run}/events": lambda ids: [
        Ask(f"/api/v1/runs/{ids.run}/events"),
        Ask(f"/api/v1/runs/{ids.ended}/events", headers={"accept": "text/event-stream"}),
        Ask(
            f"/api/v1/runs/{ids.ended}/events",
            headers={"accept": "text/event-stream", "last-event-id": "1-0"},
        ),
    ],
    "GET /realtime/v1/runs/{run}": _electric(lambda ids: f"/realtime/v1/runs/{ids.run}"),
    "GET /realtime/v1/batches/{batch}": _electric(lambda ids: f"/realtime/v1/batches/{ids.batch}"),
    "GET /realtime/v1/runs": lambda ids: [
        Ask("/realtime/v1/runs", params={"tags": tags} | more)
        for tags in (ids.tag, f"{ids.tag},shared", "shared", "")
        for more in ({}, {"offset": "0_0", "handle": "0-1"})
    ],
    "GET /realtime/v1/streams/{run}/{key}": lambda ids: [
        Ask(f"/realtime/v1/streams/{ids.run}/{ids.stream}", headers=headers)
        for headers in (
            {"timeout-seconds": "1"},
            {"timeout-seconds": "1", "last-event-id": "-1"},
            {"timeout-seconds": "1", "x-trigger-stream-start": "latest"},
        )
    ],
    "GET /realtime/v1/streams/{run}/input/{key}": lambda ids: [
        Ask(f"/realtime/v1/streams/{ids.run}/input/in", headers={"timeout-seconds": "1"})
    ],
    "PUT /realtime/v1/streams/{run}/input/{key}": lambda ids: [
        Ask(f"/realtime/v1/streams/{ids.run}/input/in", own=202)
    ],
    "GET /realtime/v1/streams/{run}/{target}/{key}": lambda ids: [
        Ask(f"/realtime/v1/streams/{run}/{target}/{ids.stream}", headers={"timeout-seconds": "1"})
        for run, target in ((ids.run, "self"), (ids.child, "parent"), (ids.child, "root"))
    ],
    "PUT /realtime/v1/streams/{run}/{target}/{key}": _targets(
        lambda ids, path: [Ask(path, own=202)]
    ),
    "POST /realtime/v1/streams/{run}/{target}/{key}": _targets(
        lambda ids, path: [Ask(path, content=b"1\n")]
    ),
    "POST /realtime/v1/streams/{run}/{target}/{key}/append": _targets(
        lambda ids, path: [Ask(f"{path}/append", content=b"text")]
    ),
    "GET /api/mainspring/v1/runs/{run}/journal": lambda ids: [
        Ask(f"/api/mainspring/v1/runs/{ids.run}/journal")
    ],
    "POST /api/mainspring/v1/runs/{run}/restart": lambda ids: [
        Ask(f"/api/mainspring/v1/runs/{ids.ended}/restart", {})
    ],
    "POST /api/mainspring/v1/runs/{run}/settle": lambda ids: [
        Ask(f"/api/mainspring/v1/runs/{ids.run}/settle", {"action": "fail"}, own=400)
    ],
    "PUT /api/v2/packets/{path}": lambda ids: [Ask(f"/api/v2/packets/{q(ids.path)}")],
    "PUT /api/v1/packets/{path}": lambda ids: [
        Ask(f"/api/v1/packets/{q(ids.path)}"),
        Ask(f"/api/v1/packets/{q(f'runs/{ids.ended}/output.json')}", own=400),
    ],
    "GET /api/v1/packets/{path}": lambda ids: [
        Ask(f"/api/v1/packets/{q(f'runs/{run}/{name}.json')}")
        for run in (ids.ended, ids.run)
        for name in ("payload", "output")
    ],
    "GET /api/v1/runs/{run}/packets/{name}": lambda ids: [
        Ask(f"/api/v1/runs/{ids.ended}/packets/{name}") for name in ("payload", "output")
    ],
    "GET /api/v1/projects/{project}/envvars/{env}": lambda ids: [
        Ask(f"/api/v1/projects/p/envvars/{ids.slug}")
    ],
    "POST /api/v1/projects/{project}/envvars/{env}": lambda ids: [
        Ask(f"/api/v1/projects/p/envvars/{ids.slug}", {"name": "A", "value": "forged"})
    ],
    "POST /api/v1/projects/{project}/envvars/{env}/import": lambda ids: [
        Ask(
            f"/api/v1/projects/p/envvars/{ids.slug}/import",
            {"variables": {"SAME_NAME": "forged"}, "override": True},
        )
    ],
    "GET /api/v1/projects/{project}/envvars/{env}/{name}": lambda ids: [
        Ask(f"/api/v1/projects/p/envvars/{ids.slug}/SAME_NAME")
    ],
    "PUT /api/v1/projects/{project}/envvars/{env}/{name}": lambda ids: [
        Ask(f"/api/v1/projects/p/envvars/{ids.slug}/SAME_NAME", {"value": "forged"})
    ],
    "DELETE /api/v1/projects/{project}/envvars/{env}/{name}": lambda ids: [
        Ask(f"/api/v1/projects/p/envvars/{ids.slug}/SAME_NAME")
    ],
    "POST /api/v1/auth/jwt/claims": lambda ids: [Ask("/api/v1/auth/jwt/claims")],
    "POST /api/v1/auth/jwt": lambda ids: [
        Ask("/api/v1/auth/jwt", {"claims": {"scopes": [f"read:runs:{ids.run}"]}})
    ],
    "POST /api/v1/auth/public-tokens": lambda ids: [
        Ask("/api/v1/auth/public-tokens", {"scopes": [f"read:runs:{ids.run}"]})
    ],
    "GET /api/mainspring/v1/keys": lambda ids: [Ask("/api/mainspring/v1/keys")],
    "POST /api/mainspring/v1/keys": lambda ids: [Ask("/api/mainspring/v1/keys", {}, own=201)],
    "POST /api/mainspring/v1/keys/{key}/rotate": lambda ids: [
        Ask(f"/api/mainspring/v1/keys/{ids.key_id}/rotate", {}, own=201)
    ],
    "POST /api/mainspring/v1/keys/{key}/revoke": lambda ids: [
        Ask(f"/api/mainspring/v1/keys/{ids.key_id}/revoke", {}, own=0)
    ],
    "GET /api/mainspring/v1/audit": lambda ids: [Ask("/api/mainspring/v1/audit")],
    "POST /api/mainspring/v1/call": CALLS,
    "POST /api/worker/v1/beat": lambda ids: [
        Ask("/api/worker/v1/beat", {"session_id": ids.session})
    ],
    "POST /api/worker/v1/lost": lambda ids: [
        Ask("/api/worker/v1/lost", {"session_id": ids.session})
    ],
    "GET /api/worker/v1/variables": lambda ids: [Ask("/api/worker/v1/variables")],
    "POST /api/v1/waitpoints/tokens/{token}/callback/{hash}": lambda ids: [
        Ask(f"/api/v1/waitpoints/tokens/{ids.token}/callback/{'0' * 64}", {}, own=401)
    ],
    "PUT /api/v1/signed/{place}/{path}": lambda ids: [
        Ask(ids.upload + "0", content=b"{}", headers=JSON, own=401)
    ],
    "GET /api/v1/signed/{place}/{path}": lambda ids: [Ask(ids.download + "0", own=401)],
}
PEOPLE = "/api/mainspring/v1/keys", "/api/mainspring/v1/audit"
"""Only people may ask these."""
