"""Garments, shoppers' centroids and product records in Qdrant (embedded or a server): see `base`."""
