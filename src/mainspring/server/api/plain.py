"""Pages without scripts: runs, one run, cancel and replay. For checkouts without Node, and text
browsers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl, quote

from starlette.responses import RedirectResponse, Response

from mainspring.errors import CallerError, MainspringError, Unauthorized
from mainspring.model.run import RunFilter, RunPage, Status, TriggerAnswer
from mainspring.server import plain_html as html
from mainspring.server.api.pages import FOLDER, SECURITY
from mainspring.server.asking import ask
from mainspring.server.auth import Keys
from mainspring.server.exchange import Exchange
from mainspring.server.routes import Handler, Route
from mainspring.server.session import Sessions, check_own, prefix
from mainspring.wire import calls
from mainspring.wire.operating import InspectRun, RunDetail

PATH: Final = "/plain"
_LINES: Final = 500
_STYLE: Final = (FOLDER.parent / "server" / "viewer" / "plain.css").read_bytes()


def routes(keys: Keys, sessions: Sessions) -> tuple[Route, ...]:
    """The pages over these keys and sessions."""

    def let_in(page: Callable[[Exchange], Awaitable[Response]]) -> Handler:
        """The page for those who are signed in, the sign-in for others."""

        async def handler(exchange: Exchange) -> Response:
            try:
                header = sessions.authorization(exchange.scope, exchange.header("authorization"))
                if header is None:
                    raise Unauthorized("")
                slug = (await keys.reach(header))[0][0]
                admitted = await keys.admit(header, slug)
                exchange.caller, exchange.env = admitted.caller, admitted.env
                return await page(exchange)
            except MainspringError as error:
                if error.status != 401:
                    return _page(exchange, html.problem(error.message), error.status)
                dev = sessions.opens(exchange.scope)
                return _page(exchange, html.sign_in(error.message, dev=dev), 401)

        return handler

    async def begin(exchange: Exchange) -> Response:
        """`POST /plain/session`: the form of the sign-in."""
        check_own(exchange.scope)
        token = (await _form(exchange)).get("token", "").strip()
        here = not token and sessions.opens(exchange.scope)
        try:
            if not here:
                await keys.reach(f"Bearer {token}")
        except Unauthorized as error:
            return _page(exchange, html.sign_in(error.message, dev=False), 401)
        cookie = sessions.cookie(exchange.scope, "" if here else token)
        return _to(exchange, PATH, {"set-cookie": cookie})

    return (
        Route("GET", PATH, let_in(runs), open=True),
        Route("GET", f"{PATH}/plain.css", style, open=True),
        Route("POST", f"{PATH}/session", begin, open=True),
        Route("GET", f"{PATH}/runs/{{run}}", let_in(run), open=True),
        Route("POST", f"{PATH}/runs/{{run}}/cancel", let_in(cancel), open=True),
        Route("POST", f"{PATH}/runs/{{run}}/replay", let_in(replay), open=True),
    )


async def style(exchange: Exchange) -> Response:
    """`GET /plain/plain.css`."""
    return Response(_STYLE, 200, {"cache-control": "no-cache"}, "text/css")


async def runs(exchange: Exchange) -> Response:
    """`GET /plain`: a page of runs, with `?status=` and `?after=`."""
    exchange.caller.permit("read", "runs")
    wanted = exchange.query.get("status", "")
    try:
        status = (Status(wanted),) if wanted else ()
    except ValueError as error:
        raise CallerError(f"There is no status {wanted[:40]!r}.") from error
    after = exchange.query.get("after") or None
    found = await ask(exchange, calls.ListRuns(RunFilter(status=status, after=after)), RunPage)
    return _page(exchange, html.runs(found, wanted, exchange.env.slug))


async def run(exchange: Exchange) -> Response:
    """`GET /plain/runs/{run}`: one run with its lines."""
    exchange.caller.permit("read", "runs")
    run_id = exchange.parameters[0]
    found = await ask(exchange, InspectRun(run_id), RunDetail)
    lines = await ask(exchange, calls.ListLogs(run_id, limit=_LINES), calls.LogPage)
    return _page(exchange, html.run(found, lines))


async def cancel(exchange: Exchange) -> Response:
    """`POST /plain/runs/{run}/cancel`."""
    exchange.caller.permit("cancel", "runs")
    await exchange.engine.answer(exchange.env, calls.CancelRun(exchange.parameters[0]))
    return _to(exchange, f"{PATH}/runs/{quote(exchange.parameters[0])}")


async def replay(exchange: Exchange) -> Response:
    """`POST /plain/runs/{run}/replay`."""
    exchange.caller.permit("replay", "runs")
    made = await ask(exchange, calls.ReplayRun(exchange.parameters[0]), TriggerAnswer)
    return _to(exchange, f"{PATH}/runs/{made.run_id}")


async def _form(exchange: Exchange) -> dict[str, str]:
    return dict(parse_qsl((await exchange.body()).decode("utf-8", "replace")))


def _page(exchange: Exchange, body: str, status: int = 200) -> Response:
    return Response(html.page(body, prefix(exchange.scope)), status, SECURITY, "text/html")


def _to(exchange: Exchange, path: str, headers: dict[str, str] | None = None) -> Response:
    return RedirectResponse(prefix(exchange.scope) + path, 303, headers)
