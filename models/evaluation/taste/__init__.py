"""How good the tastes are: simulated shoppers, replayed through the pure core and through simpler systems.

In: a catalogue whose products are told apart by attributes (a photo's folder, what was drawn). Out: rows of
figures with intervals. Nothing is learnt from the attributes: they say what a simulated shopper looks at, and
count what comes back.
"""
