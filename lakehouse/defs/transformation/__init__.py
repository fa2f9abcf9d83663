"""dbt models on Dremio: silver and gold."""
