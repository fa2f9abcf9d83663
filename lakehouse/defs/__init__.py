"""What appears in Dagster, one folder a layer, in the order data flows."""

import warnings

# Backfill and freshness policies and dagster-airbyte's workspace are beta in Dagster 1.13; we depend on them knowingly.
warnings.filterwarnings("ignore", message=".*is currently in beta")
