"""Where logs are read, each source by itself: files, Dagster, Airbyte."""
