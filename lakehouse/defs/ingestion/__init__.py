"""Sources into landing: declared Airbyte connections, their application and their syncs."""
