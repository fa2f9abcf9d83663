"""What has to run, in which order, and running it."""
