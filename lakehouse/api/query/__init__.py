"""Queries that read, answered by Dremio."""
