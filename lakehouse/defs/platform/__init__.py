"""The platform as a source: what it knows of its own work, as tables of the lake."""
