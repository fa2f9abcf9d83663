"""/api/v3/reflection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.embedded.dremio.definitions import describe
from lakehouse.embedded.dremio.errors import BadRequestError
from lakehouse.embedded.dremio.reflections import Reflections

if TYPE_CHECKING:
    from lakehouse.embedded.dremio.rest.application import Call
    from lakehouse.embedded.dremio.rest.catalog import CatalogApi


class ReflectionApi:
    """Reflections over REST."""

    def __init__(self, reflections: Reflections, catalog: CatalogApi) -> None:
        self._reflections = reflections
        self._catalog = catalog

    def list(self, _: Call) -> dict[str, Any]:
        """GET /api/v3/reflection."""
        return {"data": [self._described(state) for state in self._reflections.all()]}

    def of_dataset(self, call: Call) -> dict[str, Any]:
        """GET /api/v3/dataset/{id}/reflection."""
        path = self._catalog.path_of(call.path["id"])
        return {"data": [self._described(state) for state in self._reflections.of_dataset(path)]}

    def create(self, call: Call) -> dict[str, Any]:
        """POST /api/v3/reflection."""
        if not call.body.get("datasetId"):
            raise BadRequestError("datasetId is required")
        path = self._catalog.path_of(str(call.body["datasetId"]))
        return self._described(self._reflections.create(path, call.body))

    def get(self, call: Call) -> dict[str, Any]:
        """GET /api/v3/reflection/{id}."""
        return self._described(self._reflections.get(call.path["id"]))

    def update(self, call: Call) -> dict[str, Any]:
        """PUT /api/v3/reflection/{id}, with the tag that was read."""
        return self._described(self._reflections.update(call.path["id"], call.body, call.body.get("tag")))

    def delete(self, call: Call) -> None:
        """DELETE /api/v3/reflection/{id}."""
        self._reflections.delete(call.path["id"])

    def refresh(self, call: Call) -> None:
        """POST /api/v3/catalog/{id}/refresh: all reflections of the dataset."""
        self._reflections.refresh_dataset(self._catalog.path_of(call.path["id"]))

    def _described(self, state: dict[str, Any]) -> dict[str, Any]:
        return describe(state, self._catalog.id_of(state["dataset"]), stale=self._reflections.is_stale(state))
