"""The pages as a web application: who asks is checked first, then what is asked for is looked up, never computed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard import page_list
from rankhammer.dashboard.access import SESSION_S
from rankhammer.dashboard.declared import PREFIX, files_of
from rankhammer.dashboard.guard import Guard
from rankhammer.dashboard.headers import origin_is_own
from rankhammer.dashboard.pages import cost, declared_table, experiments, runs, sweep
from rankhammer.dashboard.results import EXPERIMENT_METRICS, MODEL_SWEEPS
from rankhammer.dashboard.site import COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from rankhammer.dashboard.site import Site

_LONGEST_FORM = 4096
logger = logging.getLogger(__name__)


def make_app(site: Site) -> Guard:
    """Make the application; the guard stands before everything, so that no answer lacks its headers.

    Args:
        site: All that it shows and checks.
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    def shown(handler: Callable[[Site, Request], Response]) -> Callable[[Request], Response]:
        return lambda request: _answered(site, request, handler)

    async def log_in(request: Request) -> Response:
        return await _log_in(site, request)

    pages = {
        "/": _runs,
        "/cost": _cost,
        "/sweep": _sweep,
        "/experiments": _experiments,
        "/runs/{run:int}": _run,
        "/runs/{run:int}/{page}": _run,
    }
    pages |= {"/tables": _declared_list, "/tables/{name}": _declared}
    routes = [Route(path, shown(handler), methods=["GET"]) for path, handler in pages.items()]
    routes += [
        Route("/static/{name}", shown(_static), methods=["GET"]),
        Route("/healthz", _healthy, methods=["GET"]),
        Route("/login", shown(_login_form), methods=["GET"]),
        Route("/login", log_in, methods=["POST"]),
        Route("/logout", shown(_log_out), methods=["POST"]),
    ]
    faults: dict[Any, Any] = {HTTPException: lambda request, exc: _fault(site, request, exc.status_code)}
    faults[Exception] = lambda request, _: _fault(site, request, 500)
    return Guard(Starlette(routes=routes, exception_handlers=faults), site)


_MESSAGES = {
    404: ("Not found", "There is no such page."),
    405: ("Not allowed", "Pages are only read."),
    500: ("Not shown", "These results have a form that this version does not know, or are being written just now."),
    507: ("Not shown", "This table is too large for the memory that a page may use: --table-memory gives it more."),
}


def _answered(site: Site, request: Request, handler: Callable[[Site, Request], Response]) -> Response:
    """Answer, also where files have a form that nobody foresaw: with a page, and the trace in the log alone."""
    import duckdb
    from jinja2 import TemplateError

    try:
        return handler(site, request)
    except duckdb.OutOfMemoryException:
        logger.warning("%s takes more memory than %s MB", request.url.path, site.tables.memory_mb)
        return _fault(site, request, 507)
    except (AttributeError, LookupError, TypeError, ValueError, OSError, TemplateError, duckdb.Error):
        logger.warning("%s could not be shown", request.url.path, exc_info=True)
        return _fault(site, request, 500)


def _fault(site: Site, request: Request, status: int) -> Response:
    title, message = _MESSAGES.get(status, ("Not answered", "This cannot be answered."))
    return site.page("message.html", request, status, title=title, message=message)


def _healthy(_: Request) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("ok\n")


def _static(site: Site, request: Request) -> Response:
    from starlette.responses import Response

    found = site.static.get(request.path_params["name"])
    if found is None:
        return _fault(site, request, 404)
    return Response(found[0], headers={"Content-Type": found[1], "Cache-Control": "public, max-age=3600"})


def _runs(site: Site, request: Request) -> Response:
    page = request.query_params.get("page", "1")
    view = runs.view(site.results, int(page) if page.isascii() and page.isdecimal() and len(page) < 9 else 1)
    return _shown(site, request, "runs", "Runs", view, here="runs")


def _cost(site: Site, request: Request) -> Response:
    return _shown(site, request, "all_cost", "Cost of all runs", cost.view(site.results), here="all-cost")


def _experiments(site: Site, request: Request) -> Response:
    view = experiments.view(site.results.shared_report(EXPERIMENT_METRICS))
    return _shown(site, request, "experiments", "Experiments", view, here="experiments")


def _sweep(site: Site, request: Request) -> Response:
    view = sweep.view(site.results.shared_report(MODEL_SWEEPS))
    return _shown(site, request, "sweep", "Capacity sweep", view, here="all-sweeps")


def _declared_list(site: Site, request: Request) -> Response:
    view = {"pages": list(site.declared.values())}
    return _shown(site, request, "declared_list", "Tables of your own jobs", view, here="declared")


def _declared(site: Site, request: Request) -> Response:
    page = site.declared.get(request.path_params["name"])
    if page is None:
        return _fault(site, request, 404)
    table = files_of(site.results.places[f"{PREFIX}{page.name}"])
    view = declared_table.view(page, table, site.tables)
    return _shown(site, request, "declared", page.title, view, here="declared")


def _run(site: Site, request: Request) -> Response:
    number, name = request.path_params["run"], request.path_params.get("page", "run")
    if name not in page_list.NAMES:
        return _fault(site, request, 404)
    record = site.results.record(number)
    if record.fault:
        status = 200 if number in site.results.numbers() else 404
        return site.page("message.html", request, status, title=f"Run {number}", message=record.fault)
    given = dict(request.query_params)
    view = page_list.content(name, site.results, site.tables, number, given)
    here = "queries" if name == page_list.QUERY else name
    return _shown(site, request, name, page_list.heading(name, number, given), view, here=here, run=number)


def _shown(site: Site, request: Request, template: str, title: str, view: dict[str, Any], **values: Any) -> Response:
    return site.page("page.html", request, template=template, title=title, view=view, **{**view, **values})


def _login_form(site: Site, request: Request) -> Response:
    return site.page("login.html", request, title="Sign in", message="")


async def _log_in(site: Site, request: Request) -> Response:
    from starlette.concurrency import run_in_threadpool

    token = await _token(request)
    return await run_in_threadpool(_checked, site, request, token)


async def _token(request: Request) -> str:
    """Read the form by hand: no more than a token is ever taken in."""
    from urllib.parse import parse_qs

    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            return ""
    values = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4).get("token", [""])
    return values[0].strip()


def _checked(site: Site, request: Request, token: str) -> Response:
    from starlette.responses import RedirectResponse

    address = request.state.client
    wait_s = site.limit.wait_s(address)
    if wait_s > 0:
        message = f"Too many wrong tokens; try again in {wait_s:.0f} seconds."
        answer = site.page("login.html", request, 429, title="Sign in", message=message)
        answer.headers["Retry-After"] = f"{wait_s + 1:.0f}"
        return answer
    if not origin_is_own(site.binding, request.headers) or not site.access.is_token(token):
        site.limit.failed(address)
        logger.warning("A wrong token was given by %s.", address)
        return site.page("login.html", request, 403, title="Sign in", message="That is not the token.")
    answer = RedirectResponse("/", 303)
    _set_cookie(site, answer, site.access.new_session(time.time()), SESSION_S)
    return answer


def _log_out(site: Site, request: Request) -> Response:
    from starlette.responses import RedirectResponse

    answer = RedirectResponse("/login", 303)
    if origin_is_own(site.binding, request.headers):
        _set_cookie(site, answer, "", 0)
    return answer


def _set_cookie(site: Site, answer: Response, value: str, seconds: int) -> None:
    answer.set_cookie(
        COOKIE, value, max_age=seconds, path="/", secure=site.binding.is_https, httponly=True, samesite="strict"
    )
