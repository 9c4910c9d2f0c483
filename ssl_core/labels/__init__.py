"""Labels that are given to a dataset later, by a table: read, matched with the dataset's members, and stored beside its shards."""

LABELS = "labels.parquet"
"""Name of the file with the labels, where it lies in one folder with the shards."""
