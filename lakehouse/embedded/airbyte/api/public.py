"""The public API, below /api/public/v1 (source: https://reference.airbyte.com)."""

from __future__ import annotations

from typing import Any

from starlette.responses import PlainTextResponse

from lakehouse.embedded.airbyte.api import (
    public_actors,
    public_connections,
    public_definitions,
    public_jobs,
)
from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.api.problems import ApiError
from lakehouse.embedded.airbyte.api.views import public_stream, public_workspace
from lakehouse.embedded.airbyte.credentials import TOKEN_SECONDS, Credentials
from lakehouse.embedded.airbyte.operations.lookup import workspace
from lakehouse.embedded.airbyte.requests import TokenRequest
from lakehouse.embedded.airbyte.service import Service

PREFIX = "/api/public/v1"
_WORKSPACE_FILTERS = ("workspaceIds", "includeDeleted")
_STREAM_FILTERS = ("sourceId", "destinationId", "ignoreCache")


def operations(service: Service, credentials: Credentials) -> list[Operation]:
    """Every call of the public API that is served."""
    api = _PublicApi(service, credentials)
    return [
        Operation("GET", "/health", api.health, "Whether the server answers", open=True),
        Operation(
            "POST", "/applications/token", api.token, "Get a bearer token for client credentials",
            body=TokenRequest, form=True, open=True,
        ),
        Operation(
            "GET", "/workspaces", api.list_workspaces, "List workspaces", query=_WORKSPACE_FILTERS, paged=True
        ),
        Operation("GET", "/workspaces/{workspaceId}", api.get_workspace, "Get a workspace"),
        Operation("GET", "/streams", api.streams, "List the streams of a source", query=_STREAM_FILTERS),
        *public_definitions.operations(service, "source"),
        *public_definitions.operations(service, "destination"),
        *public_actors.operations(service, "source"),
        *public_actors.operations(service, "destination"),
        *public_connections.operations(service),
        *public_jobs.operations(service),
    ]  # fmt: skip


class _PublicApi:
    """Tokens, workspaces, and the streams of a source."""

    def __init__(self, service: Service, credentials: Credentials) -> None:
        self._service = service
        self._credentials = credentials

    async def health(self, _: Call) -> Any:
        return PlainTextResponse("Successful operation")

    async def token(self, call: Call) -> Any:
        given: TokenRequest = call.body
        if not self._credentials.is_client(given.client_id, given.client_secret):
            raise ApiError(401, "client_id or client_secret is wrong")
        token = self._credentials.token()
        return {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}

    async def list_workspaces(self, call: Call) -> Any:
        rows = self._service.store.rows("SELECT * FROM workspaces ORDER BY created_at, id")
        wanted = call.query.values("workspaceIds")
        shown = [public_workspace(row) for row in rows if not wanted or row["id"] in wanted]
        return call.query.page(shown[call.query.offset :])

    async def get_workspace(self, call: Call) -> Any:
        return public_workspace(workspace(self._service.store, call.path["workspaceId"]))

    async def streams(self, call: Call) -> Any:
        source_id, destination_id = call.query.value("sourceId"), call.query.value("destinationId")
        if source_id is None:
            raise ApiError(400, "query parameter sourceId is needed")
        source = self._service.actors.get("source", source_id)
        if destination_id is not None:
            self._service.actors.get("destination", destination_id)
        return [public_stream(stream) for stream in await self._service.actors.discover(source)]
