"""Refusals with the HTTP status that Dremio answers with."""

from __future__ import annotations

from lakehouse.embedded.errors import EmbeddedError


class RestError(EmbeddedError):
    """Becomes `{"errorMessage": ...}` with its status."""

    status = 500


class BadRequestError(RestError):
    status = 400


class UnauthorizedError(RestError):
    status = 401


class NotFoundError(RestError):
    status = 404


class ConflictError(RestError):
    status = 409
