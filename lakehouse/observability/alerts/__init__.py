"""Alerts: what is wrong now, told once to whom it concerns, and told again when it is over."""
