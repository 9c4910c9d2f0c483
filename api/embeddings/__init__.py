"""Embeddings of datasets over HTTP."""
