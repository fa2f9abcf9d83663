"""What both APIs do with sources, destinations, connections and jobs; every refusal is an ApiError."""
