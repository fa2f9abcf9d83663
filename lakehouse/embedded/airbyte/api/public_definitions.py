"""Which kinds of sources and destinations there are, on the public API."""

from __future__ import annotations

from typing import Any

from lakehouse.embedded.airbyte.api.operation import Call, Operation
from lakehouse.embedded.airbyte.api.views import public_definition
from lakehouse.embedded.airbyte.operations.definitions import definitions
from lakehouse.embedded.airbyte.operations.lookup import found, workspace
from lakehouse.embedded.airbyte.service import Service


def operations(service: Service, kind: str) -> list[Operation]:
    """The calls for definitions of sources or destinations, as `kind` says."""
    api, path = _Definitions(service, kind), f"/workspaces/{{workspaceId}}/definitions/{kind}s"
    return [
        Operation("GET", path, api.list, f"List the kinds of {kind}s"),
        Operation("GET", f"{path}/{{definitionId}}", api.get, f"Get a kind of {kind}"),
    ]


class _Definitions:
    def __init__(self, service: Service, kind: str) -> None:
        self._service = service
        self._kind = kind

    async def list(self, call: Call) -> Any:
        workspace(self._service.store, call.path["workspaceId"])
        shown = [public_definition(one) for one in definitions(self._service.registry, self._kind)]
        return {"data": shown, "next": "", "previous": ""}

    async def get(self, call: Call) -> Any:
        workspace(self._service.store, call.path["workspaceId"])
        wanted = call.path["definitionId"]
        offered = definitions(self._service.registry, self._kind)
        return public_definition(
            found(
                next((one for one in offered if one["id"] == wanted), None),
                f"{self._kind} definition",
                wanted,
            )
        )
