"""Dashboards, from dbt's exposures."""
