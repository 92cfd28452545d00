"""The HTTP gateway: recommendation sets to browsers, interactions and products from them, and look."""
