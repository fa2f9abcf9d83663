"""Secrets in configurations: shown as asterisks, and asterisks sent back mean the stored value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MASK = "**********"
_SECRETS = frozenset(
    {
        "password", "secret_access_key", "access_key_id", "api_key", "token", "access_token", "client_secret",
        "refresh_token",
    }
)  # fmt: skip


def masked(configuration: Mapping[str, Any], secrets: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A configuration for reading; `secrets` are further names that its specification marks as such."""
    hidden = _SECRETS | secrets
    return {
        name: MASK
        if name in hidden and value
        else masked(value, secrets)
        if isinstance(value, dict)
        else value
        for name, value in configuration.items()
    }


def unmasked(given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as it was meant: masked secrets have their stored value."""
    meant = {}
    for name, value in given.items():
        before = stored.get(name)
        if value == MASK and name in stored:
            meant[name] = before
        elif isinstance(value, dict):
            meant[name] = unmasked(value, before if isinstance(before, dict) else {})
        else:
            meant[name] = value
    return meant
