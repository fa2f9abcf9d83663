"""Dremio SQL in, DuckDB SQL out: parsing, name rules, function semantics, reflection matching. Pure functions, no I/O."""
