"""source-postgres: the configuration, catalog and state of the real connector; full and cursor-based reads."""
