"""The page, and how a browser gets to see it."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from lakehouse.api.body import read_body
from lakehouse.api.kept import Kept
from lakehouse.api.operation import ROUTE
from lakehouse.api.page import words
from lakehouse.api.page.overview import Overviews
from lakehouse.api.page.sessions import COOKIE, SECONDS, Sessions, secret_of
from lakehouse.api.platform import Platform

_FOLDER = Path(__file__).parent
CSS = (_FOLDER / "page.css").read_text()
STYLE_SOURCE = f"'sha256-{b64encode(hashlib.sha256(CSS.encode()).digest()).decode()}'"
"""What a Content-Security-Policy allows as style: the one style sheet, which stands in the page itself."""
_FRESH_SECONDS = 5.0


class Page:
    """Its routes. `accept` says whether a token is one."""

    def __init__(
        self, platform: Platform, kept: Kept, sessions: Sessions, accept: Callable[[str], bool]
    ) -> None:
        self._overviews = Overviews(platform)
        self._kept = kept
        self._sessions = sessions
        self._accept = accept
        dagster = platform.settings.dagster
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "css": Markup(CSS),  # noqa: S704  our own file
            "dagster": f"http://{dagster.host}:{dagster.port}",
        }
        self._templates.filters |= {
            name: getattr(words, name) for name in ("ago", "duration", "number", "size")
        }

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/", self.show),
            Route("/login", self.login, methods=["POST"]),
            Route("/logout", self.logout, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        request.scope[ROUTE] = "/"
        return HTMLResponse(await self._kept.get("page", self._rendered, _FRESH_SECONDS))

    async def login(self, request: Request) -> Response:
        """A token as a form sends it; the cookie that is given for it is sent to this site only, and seen by no script."""
        request.scope[ROUTE] = "/login"
        form = parse_qs((await read_body(request)).decode("latin-1"))
        if not self._accept(form.get("token", [""])[0].strip()):
            return self.ask(refused=True)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE,
            self._sessions.begin(),
            max_age=SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    async def logout(self, request: Request) -> Response:
        request.scope[ROUTE] = "/logout"
        self._sessions.end(secret_of(request.headers.get("cookie", "")))
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    def ask(self, *, refused: bool = False) -> Response:
        """The form for a token; to be shown to whoever has none, so it is a 401."""
        html = self._templates.get_template("login.html").render(refused=refused)
        return HTMLResponse(html, 401)

    def _rendered(self) -> bytes:
        return self._templates.get_template("page.html").render(page=self._overviews.read()).encode()
