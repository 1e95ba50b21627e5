"""Data sets of the bench: one file each, read from a folder of parquet files that isn't part of the repository."""
