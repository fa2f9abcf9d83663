"""Superset on this machine: the real one, in an environment of its own, since its packages and ours do not agree.

What is in `inside/` runs in that environment and imports nothing of ours.
"""
