"""source-files: CSV and Parquet files below a root, configured as Airbyte's file-based sources are."""
