"""Log-based reads of Postgres: a snapshot, then what logical decoding (pgoutput) says, exactly once."""
