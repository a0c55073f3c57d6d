"""The service: the continuous run behind an HTTP API and a live stream.

`app` puts it together, `resources` holds what lives as long as the process, `routes` has one file per resource, `server` runs it.
"""
