"""Garments, shoppers' centroids and product records in Qdrant, embedded or on a server: see `vectorstore.base`."""
