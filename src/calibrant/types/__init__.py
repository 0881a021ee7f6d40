"""Our data model: frozen values that pass between layers.

Reading order: content, message, tool, request, call, reply, answer, rows.
"""
