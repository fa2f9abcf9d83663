"""Landed streams into tables of current rows."""
