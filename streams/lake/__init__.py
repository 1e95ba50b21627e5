"""The one door to Delta tables and DuckDB."""
