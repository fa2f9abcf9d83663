"""The demo's sources: a generated shop in Postgres, and the true figures to hold the lakehouse against."""
