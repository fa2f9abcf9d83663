"""What appears in Dagster, one folder a layer, in the order data flows."""
