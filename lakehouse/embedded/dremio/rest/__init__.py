"""Dremio's REST API v3, the part that clients use."""
