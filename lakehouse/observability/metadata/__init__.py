"""The metadata database: run history, syncs, the state of connections, and what became of every partition."""
