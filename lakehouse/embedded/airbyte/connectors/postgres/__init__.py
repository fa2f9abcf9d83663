"""source-postgres: configuration, catalogue and state of the real connector; full and cursor-based reads."""
