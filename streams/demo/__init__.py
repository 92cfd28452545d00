"""`lookstream demo`: a catalogue, three shoppers with tastes, and their sets as they change."""
