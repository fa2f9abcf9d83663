"""Sources: any command that speaks the Airbyte protocol, ours among them."""
