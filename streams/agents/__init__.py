"""One module per agent: plain classes that take records and an outbox, and know nothing of Faust."""
