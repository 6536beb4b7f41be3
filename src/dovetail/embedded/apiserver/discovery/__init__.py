"""What the API offers, in the formats in which clients ask for it."""
