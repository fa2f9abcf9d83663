"""Metrics of what the graph declares, and all that is asked for metrics."""
