"""What the routes answer, read from the stores that have it."""
