"""The part of the configuration API that clients use, below /api/v1 (airbyte-platform, config.yaml)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from lakehouse.embedded.airbyte.api import (
    configuration_actors,
    configuration_connections,
    configuration_jobs,
    configuration_states,
)
from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.api.views import config_definition, config_workspace
from lakehouse.embedded.airbyte.configuration_requests import ConnectionId, NoParameters, WorkspaceId
from lakehouse.embedded.airbyte.operations.definitions import definitions
from lakehouse.embedded.airbyte.operations.lookup import workspace
from lakehouse.embedded.airbyte.service import Service

PREFIX = "/api/v1"
_NOBODY = "00000000-0000-0000-0000-000000000000"


def operations(service: Service) -> list[Operation]:
    """Every call of the configuration API that is served."""
    api, nothing = _ConfigurationApi(service), NoParameters
    return [
        Operation("GET", "/health", api.health, "Whether the server answers", open=True),
        Operation("GET", "/instance_configuration", api.instance, "What kind of server this is"),
        Operation("POST", "/workspaces/list", api.list_workspaces, "List workspaces", body=nothing),
        Operation("POST", "/workspaces/get", api.get_workspace, "Get a workspace", body=WorkspaceId),
        Operation(
            "POST", "/source_definitions/list", api.list_sources, "List the kinds of sources", body=nothing
        ),
        Operation(
            "POST", "/destination_definitions/list", api.list_destinations, "List the kinds of destinations",
            body=nothing,
        ),
        Operation(
            "POST", "/operations/list", api.list_operations, "List a connection's transformations: none",
            body=ConnectionId,
        ),
        *configuration_actors.operations(service, "source"),
        *configuration_actors.operations(service, "destination"),
        *configuration_connections.operations(service),
        *configuration_states.operations(service),
        *configuration_jobs.operations(service),
    ]  # fmt: skip


class _ConfigurationApi:
    """The server itself, workspaces and definitions."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, _: Call) -> Any:
        return {"available": True}

    async def instance(self, _: Call) -> Any:
        return {
            "edition": "community",
            "version": version("lakehouse"),
            "initialSetupComplete": True,
            "defaultUserId": _NOBODY,
            "defaultOrganizationId": _NOBODY,
            "defaultOrganizationEmail": "",
            "trackingStrategy": "logging",
            "airbyteUrl": "",
        }

    async def list_workspaces(self, _: Call) -> Any:
        rows = self._service.store.rows("SELECT * FROM workspaces ORDER BY created_at, id")
        return {"workspaces": [config_workspace(row) for row in rows]}

    async def get_workspace(self, call: Call) -> Any:
        return config_workspace(workspace(self._service.store, call.body.workspace_id))

    async def list_sources(self, _: Call) -> Any:
        offered = definitions(self._service.registry, "source")
        return {"sourceDefinitions": [config_definition(one) for one in offered]}

    async def list_destinations(self, _: Call) -> Any:
        offered = definitions(self._service.registry, "destination")
        return {"destinationDefinitions": [config_definition(one) for one in offered]}

    async def list_operations(self, call: Call) -> Any:
        self._service.connections.get(call.body.connection_id)
        return {"operations": []}
