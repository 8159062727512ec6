"""Shops built with a web framework: one module for each, each with its extra.

`lastclick.integrations.django`, `lastclick.integrations.flask`, `lastclick.integrations.asgi`.
"""
