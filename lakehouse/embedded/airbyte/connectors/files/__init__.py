"""source-files: files of a directory, a bucket or a server, configured as Airbyte's file-based sources are."""
