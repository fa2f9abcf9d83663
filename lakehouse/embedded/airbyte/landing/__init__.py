"""The destination: landing files exactly as destination-s3 writes them."""
