"""Dagster runs without a new interpreter: processes forked from one that has everything imported."""
