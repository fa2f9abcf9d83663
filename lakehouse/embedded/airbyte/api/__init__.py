"""Airbyte's two HTTP APIs over one service."""
