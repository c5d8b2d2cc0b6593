"""What is checked of every request before its handler, and put on every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from rankhammer.dashboard.site import Site

_OPEN = ("/login", "/healthz")


class Guard:
    """Refuses other hosts' names and whoever is not signed in, and adds the headers that keep browsers strict.

    Args:
        app: What answers the others.
        site: All that is needed to decide.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._refusal(scope) or self._app

        async def send_strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(message)
            await send(message)

        await answer(scope, receive, send_strict)

    def _add_headers(self, message: Message) -> None:
        from starlette.datastructures import MutableHeaders

        headers = MutableHeaders(scope=message)
        headers.update(self._site.binding.headers)
        headers.setdefault("Cache-Control", "no-store")

    def _refusal(self, scope: Scope) -> Any:
        """Return what answers instead of the application, or None."""
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse, RedirectResponse

        request = Request(scope)
        if not self._site.binding.answers(request.headers.get("host", "")):
            return PlainTextResponse("This server does not answer to that name.\n", 400)
        peer = request.client.host if request.client else ""
        client = self._site.binding.client(peer, request.headers.get("x-forwarded-for", ""))
        if client is None:
            return PlainTextResponse("Only the proxy may ask.\n", 403)
        request.state.client = client
        path = scope["path"]
        if path in _OPEN or path.startswith("/static/") or self._site.is_signed_in(request):
            return None
        return RedirectResponse("/login", 303)
