"""Superset: dashboards as declared, imported through its REST API, and the data of their charts."""
