"""What is looked at, and who is told when it is not well."""
