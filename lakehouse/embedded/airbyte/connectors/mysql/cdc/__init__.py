"""source-mysql, method CDC: a consistent snapshot, then the row events of the binary log."""
