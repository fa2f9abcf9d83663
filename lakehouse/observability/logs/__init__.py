"""Logs of everything as one kind of record: shipped from where they are written, kept in the lake, searchable."""
