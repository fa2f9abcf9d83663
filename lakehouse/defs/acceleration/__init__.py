"""Dremio reflections, reconciled with their declarations."""
