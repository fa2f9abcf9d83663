"""What the platform tells about itself: event log, metrics, logs, run history."""
