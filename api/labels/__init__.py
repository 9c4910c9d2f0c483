"""Labels that are given to datasets."""
