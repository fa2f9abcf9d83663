"""PostgreSQL from a wheel, run as a server of its own: the source database of the demo."""
