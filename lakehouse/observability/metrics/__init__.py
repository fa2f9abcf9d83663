"""Metrics for Prometheus, read from what is stored: they are right after any restart, and in any process."""
