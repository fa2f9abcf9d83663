"""The ASGI application: routes, authentication, errors as Dremio words them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lakehouse.embedded.dremio.auth import Authenticator
from lakehouse.embedded.dremio.errors import BadRequestError, RestError, UnauthorizedError
from lakehouse.embedded.dremio.rest.catalog import CatalogApi
from lakehouse.embedded.dremio.rest.jobs import JobApi
from lakehouse.embedded.dremio.rest.reflections import ReflectionApi
from lakehouse.embedded.dremio.sql.model import SqlError

Handler = Callable[["Call"], Any]


class Call:
    """One authenticated request: path parameters, query, JSON body."""

    def __init__(self, user: str, request: Request, body: Any) -> None:
        self.user = user
        self.path: dict[str, str] = dict(request.path_params)
        self.query = request.query_params
        self._body = body

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises BadRequestError when there is none."""
        if not isinstance(self._body, dict):
            raise BadRequestError("the request body must be a JSON object")
        return self._body

    def number(self, name: str, default: int, *, most: int) -> int:
        """A non-negative number in the query string. Raises BadRequestError."""
        text = self.query.get(name, str(default))
        if not text.isdigit():
            raise BadRequestError(f"{name} must be a non-negative number, not {text!r}")
        return min(int(text), most)


def application(
    authenticator: Authenticator, jobs: JobApi, catalog: CatalogApi, reflections: ReflectionApi
) -> Starlette:
    """All routes; every one but login and status asks for a token."""

    def guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                user = await run_in_threadpool(_authenticate, authenticator, request)
                call = Call(user, request, await _json(request))
                answer = await run_in_threadpool(handler, call)
            except RestError as error:
                return _error(error.status, str(error))
            except SqlError as error:
                return _error(400, str(error))
            return Response(status_code=204) if answer is None else JSONResponse(answer)

        return endpoint

    async def login(request: Request) -> Response:
        try:
            body = await _json(request)
            if not isinstance(body, dict) or not {"userName", "password"} <= set(body):
                raise BadRequestError("userName and password are required")
            user, password = str(body["userName"]), str(body["password"])
            token, expires = await run_in_threadpool(authenticator.login, user, password)
        except RestError as error:
            return _error(error.status, str(error))
        return JSONResponse(
            {"token": token, "userName": user, "expires": expires, "admin": True, "version": ""}
        )

    async def status(_: Request) -> Response:
        return PlainTextResponse('"OK"', media_type="application/json")

    routes = [
        ("/apiv2/login", login, ["POST"]),
        ("/apiv2/server_status", status, ["GET"]),
        ("/api/v3/sql", guarded(jobs.submit), ["POST"]),
        ("/api/v3/job/{id}", guarded(jobs.get), ["GET"]),
        ("/api/v3/job/{id}/results", guarded(jobs.results), ["GET"]),
        ("/api/v3/job/{id}/cancel", guarded(jobs.cancel), ["POST"]),
        ("/api/v3/job/{id}/reflection/{reflection}", guarded(jobs.reflection), ["GET"]),
        ("/api/v3/catalog", guarded(catalog.roots), ["GET"]),
        ("/api/v3/catalog", guarded(catalog.create), ["POST"]),
        ("/api/v3/catalog/by-path/{path:path}", guarded(catalog.by_path), ["GET"]),
        ("/api/v3/catalog/{id}/refresh", guarded(reflections.refresh), ["POST"]),
        ("/api/v3/catalog/{id}/collaboration/{kind}", guarded(catalog.read_collaboration), ["GET"]),
        ("/api/v3/catalog/{id}/collaboration/{kind}", guarded(catalog.write_collaboration), ["POST"]),
        ("/api/v3/catalog/{id}", guarded(catalog.get), ["GET"]),
        ("/api/v3/catalog/{id}", guarded(catalog.delete), ["DELETE"]),
        ("/api/v3/dataset/{id}/reflection", guarded(reflections.of_dataset), ["GET"]),
        ("/api/v3/reflection", guarded(reflections.list), ["GET"]),
        ("/api/v3/reflection", guarded(reflections.create), ["POST"]),
        ("/api/v3/reflection/{id}", guarded(reflections.get), ["GET"]),
        ("/api/v3/reflection/{id}", guarded(reflections.update), ["PUT"]),
        ("/api/v3/reflection/{id}", guarded(reflections.delete), ["DELETE"]),
    ]
    return Starlette(
        routes=[Route(path, endpoint, methods=methods) for path, endpoint, methods in routes],
        exception_handlers={404: _unknown, 405: _unknown},
    )


def _authenticate(authenticator: Authenticator, request: Request) -> str:
    header = request.headers.get("authorization", "")
    for prefix in ("_dremio", "Bearer "):
        if header.startswith(prefix):
            return authenticator.user_of(header.removeprefix(prefix).strip())
    raise UnauthorizedError(
        "log in first: POST /apiv2/login, then send the token as `Authorization: _dremio<token>`"
    )


async def _json(request: Request) -> Any:
    raw = await request.body()
    if not raw:
        return None
    try:
        return await request.json()
    except ValueError:
        raise BadRequestError("the request body is no JSON") from None


async def _unknown(request: Request, _: Exception) -> Response:
    return _error(404, f"{request.method} {request.url.path} is not served by the local engine")


def _error(status: int, message: str) -> Response:
    return JSONResponse({"errorMessage": message, "moreInfo": ""}, status_code=status)
