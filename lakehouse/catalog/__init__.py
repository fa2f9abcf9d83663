"""The datasets as the dbt project declares them: manifest and `meta.lakehouse`, as typed objects."""
