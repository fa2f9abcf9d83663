"""Declarations of a new source, written from what the source itself tells: connection, dbt sources, staging."""
