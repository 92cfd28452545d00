"""Finding garments: what is looked for, the network, and what becomes of its answers."""
