"""ASGI apps: a request, a WebSocket or the holder of a cookie is a session of `tenure.hosts.sessions`.

It shows and records nothing. `tenure.asgi.Middleware` says which session the present code serves.
"""
