"""The lake as files and Iceberg tables: its layout, the bronze merge and what keeps the tables healthy."""
