"""What landed, built as far as it reaches: days of bronze, and of everything made of them."""
