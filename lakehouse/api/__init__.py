"""The REST API of the platform: what is known of datasets, runs, syncs and alerts, and read-only queries."""
