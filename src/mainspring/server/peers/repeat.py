"""What makes a request safe to repeat: ids and keys that the first server gives it. A decision."""

from __future__ import annotations

from typing import Final

from mainspring.ids import IdSource
from mainspring.wire import calls
from mainspring.wire.operating import SetSchedule, StartBulk

_KEYED: Final = (
    calls.SendInput,
    calls.UpdateMetadata,
    calls.ReplayRun,
    calls.RestartRun,
    calls.CreateBatch,
    StartBulk,
)


def is_repeatable(request: calls.Request, ids: IdSource, now: int, shard_id: int) -> bool:
    """Whether the request may be sent again when it is unknown what became of it; gives it the ids
    and keys that it needs for that.
    """
    if isinstance(request, calls.Trigger):
        for item in request.requests:
            if item.options.run_id is None and item.options.request_key is None:
                item.options.run_id = ids.new("run", now, shard_id)
        if request.as_batch and request.request_key is None:
            request.request_key = ids.new("request", now, shard_id)
        return True
    if isinstance(request, _KEYED):
        if request.request_key is None:
            request.request_key = ids.new("request", now, shard_id)
        return True
    if isinstance(request, calls.CreateToken):
        return request.idempotency_key is not None
    if isinstance(request, SetSchedule):
        return request.id is not None or request.dedup_key is not None
    return not isinstance(request, calls.EmitEvent)
