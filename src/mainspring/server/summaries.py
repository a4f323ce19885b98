"""What each route of the API does, in words for people. Its types stand beside the route."""

from __future__ import annotations

from typing import Final

_TEXT: Final = """
POST /api/v1/tasks/{task}/trigger           Trigger a task
POST /api/v1/tasks/{task}/batch             Trigger a task many times
POST /api/v2/tasks/batch                    Trigger many tasks
POST /api/v3/batches                        Begin a batch
POST /api/v3/batches/{batch}/items          Fill a batch with items, one a line
GET /api/v2/batches/{batch}                 Show a batch
GET /api/v1/batches/{batch}                 Show a batch, for older clients
GET /api/v1/batches/{batch}/results         Show how the runs of a batch ended
GET /api/v1/runs                            List runs
GET /api/v1/projects/{project}/runs         List the runs of several environments
GET /api/v3/runs/{run}                      Show a run
POST /api/v2/runs/{run}/cancel              Cancel a run
POST /api/v1/runs/{run}/replay              Make a new run like an old one
POST /api/v1/runs/{run}/reschedule          Give a delayed run another time
POST /api/v1/runs/{run}/tags                Add tags to a run
GET /api/v1/runs/{run}/result               Show how a run ended
GET /api/v1/runs/{run}/events               Show what a run wrote, or follow it
GET /api/v1/runs/{run}/trace                Show what a run did, as a tree
GET /api/v1/runs/{run}/spans/{span}         Show one span of a run
GET /api/v1/runs/{run}/metadata             Show the metadata of a run
PUT /api/v1/runs/{run}/metadata             Change the metadata of a run
GET /api/v1/runs/{run}/packets/{name}       Find the payload or output of a run
POST /api/v1/idempotencyKeys/{key}/reset    Forget an idempotency key
GET /api/v1/queues                          List queues
GET /api/v1/queues/{queue}                  Show a queue
POST /api/v1/queues/{queue}/pause           Pause or resume a queue
POST /api/v1/queues/{queue}/concurrency/override   Override the limit of a queue
POST /api/v1/queues/{queue}/concurrency/reset      Go back to the code's own limit
POST /api/v1/bulk-actions                   Cancel or replay many runs
GET /api/v1/bulk-actions                    List bulk actions
GET /api/v1/bulk-actions/{action}           Show a bulk action
POST /api/v1/bulk-actions/{action}/abort    Stop a bulk action
POST /api/v1/schedules                      Make a schedule, or change the one with the same key
GET /api/v1/schedules                       List schedules
GET /api/v1/schedules/{schedule}            Show a schedule
PUT /api/v1/schedules/{schedule}            Change a schedule
DELETE /api/v1/schedules/{schedule}         Delete a schedule
POST /api/v1/schedules/{schedule}/activate  Let a schedule go on
POST /api/v1/schedules/{schedule}/deactivate       Let a schedule rest
POST /api/v1/schedules/{schedule}/run       Make a run of a schedule now
GET /api/v1/schedules/{schedule}/next       List the next ticks of a schedule
GET /api/v1/timezones                       List time zones
GET /api/v1/deployments                     List deployments
GET /api/v1/deployments/current             Show the current deployment
DELETE /api/v1/deployments/current          Let any worker take new runs again
GET /api/v1/deployments/latest              Show the newest deployment
POST /api/v1/deployments                    Begin a deployment
PUT /api/v1/deployments/{deployment}/bundle   Upload the code of a deployment
POST /api/v1/deployments/{deployment}/finalize   Make a deployment final, and promote it
GET /api/v1/deployments/{deployment}        Show a deployment
POST /api/v1/deployments/{deployment}/promote   Let new runs get a deployment
POST /api/v1/deployments/rollback           Let new runs get the deployment before
GET /api/mainspring/v1/environment   The environment of the key
POST /api/mainspring/v1/environment/pause   Pause or resume an environment
POST /api/mainspring/v1/environment/limits   Limit how many runs an environment may have at once
POST /api/mainspring/v1/environment/archive   End a branch of preview for good
GET /api/mainspring/v1/branches   The branches of preview
POST /api/mainspring/v1/branches   Make a branch of preview
POST /api/v1/waitpoints/tokens              Make a token to wait for
GET /api/v1/waitpoints/tokens               List wait tokens
GET /api/v1/waitpoints/tokens/{token}       Show a wait token
POST /api/v1/waitpoints/tokens/{token}/complete         Complete a wait token
POST /api/v1/waitpoints/tokens/{token}/callback/{hash}  Complete a wait token by its address
POST /realtime/v1/streams/{run}/input/{stream}     Send a record to a run
POST /api/mainspring/v1/runs/{run}/inputs/{stream} Send a record to a run, and be told its number
POST /api/mainspring/v1/events/{name}       Send an event
GET /realtime/v1/runs                       Follow runs by tags
GET /realtime/v1/runs/{run}                 Follow a run
GET /realtime/v1/batches/{batch}            Follow the runs of a batch
GET /realtime/v1/streams/{run}/{key}        Read a stream of a run
GET /realtime/v1/streams/{run}/input/{key}  Read what was sent to a run
PUT /realtime/v1/streams/{run}/input/{key}  Announce an input stream
GET /realtime/v1/streams/{run}/{target}/{key}      Read a stream of a run or of a relative
PUT /realtime/v1/streams/{run}/{target}/{key}      Announce a stream
POST /realtime/v1/streams/{run}/{target}/{key}     Write chunks to a stream, one a line
POST /realtime/v1/streams/{run}/{target}/{key}/append   Write one chunk to a stream
GET /api/mainspring/v1/runs/{run}/journal   Show the journal of a run
POST /api/mainspring/v1/runs/{run}/restart  Make a new run that goes on from an entry
POST /api/mainspring/v1/runs/{run}/settle   Go on with a run that has diverged
GET /api/mainspring/v1/metrics              List what is measured
GET /api/mainspring/v1/metrics/{metric}     Show a metric over time
GET /api/mainspring/v1/logs                 Find lines of all runs
GET /api/mainspring/v1/logs/counts          Count lines of all runs over time
GET /api/mainspring/v1/runs/{run}/logs      List the lines of a run
GET /api/mainspring/v1/errors               List groups of failed runs that are alike
GET /api/mainspring/v1/errors/{error}       Show a group of failed runs
POST /api/mainspring/v1/errors/{error}/resolve    Say that a group of failed runs is resolved
POST /api/mainspring/v1/errors/{error}/mute       Say that a group of failed runs is no matter
POST /api/mainspring/v1/errors/{error}/reopen     Say that a group of failed runs is open
POST /otel/v1/traces                        Take spans by OTLP
POST /otel/v1/logs                          Take lines by OTLP
POST /otel/v1/metrics                       Take metrics by OTLP
PUT /api/v2/packets/{path}                  Ask where to upload a payload
PUT /api/v1/packets/{path}                  Ask where to upload a payload, for older clients
GET /api/v1/packets/{path}                  Ask where an upload is
PUT /api/v1/signed/{place}/{path}           Upload a payload
GET /api/v1/signed/{place}/{path}           Download a payload or an output
GET /api/v1/projects/{project}/envvars/{env}          List variables
POST /api/v1/projects/{project}/envvars/{env}         Set a variable
POST /api/v1/projects/{project}/envvars/{env}/import  Set many variables
GET /api/v1/projects/{project}/envvars/{env}/{name}   Show a variable
PUT /api/v1/projects/{project}/envvars/{env}/{name}   Change a variable
DELETE /api/v1/projects/{project}/envvars/{env}/{name} Unset a variable
POST /api/v1/auth/jwt/claims                Ask what a public token says
POST /api/v1/auth/jwt                       Make a public token
POST /api/v1/auth/public-tokens             Make a public token with scopes
GET /api/mainspring/v1/keys                 List secret keys
POST /api/mainspring/v1/keys                Make a secret key
POST /api/mainspring/v1/keys/{key}/rotate   Replace a secret key
POST /api/mainspring/v1/keys/{key}/revoke   Revoke a secret key
GET /api/mainspring/v1/audit                Show who did what
"""


def _read(text: str) -> dict[tuple[str, str], str]:
    lines = (line.split(maxsplit=2) for line in text.splitlines() if line)
    return {(method, path): words for method, path, words in lines}


SUMMARIES: Final = _read(_TEXT)
"""By method and path."""
