"""The HTTP edge. Reading order: http, routes, api (the table), inference; then serve, protocol, reader, render."""
