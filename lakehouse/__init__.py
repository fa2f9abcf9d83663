"""An open lakehouse run as one Dagster asset graph."""

__version__ = "0.1.0"
