"""An Airbyte-compatible server for one machine: both its APIs, protocol connectors, destination-s3 files.

It imports nothing of the platform. Names, fields and behaviour follow Airbyte's public API, its configuration
API, the Airbyte protocol and the documented output of destination-s3.
"""
