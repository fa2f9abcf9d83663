"""source-mysql: configuration, catalogue and state of the real connector; full, cursor-based and log-based reads."""
