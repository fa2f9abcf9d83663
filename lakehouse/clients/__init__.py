"""Typed clients of the services, each over the service's public protocol."""
