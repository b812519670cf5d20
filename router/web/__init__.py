"""The web side: the API, providers' webhooks, members' pages. `make_app` and `serve_web` are the way in."""

from router.web.app import make_app, serve_web

__all__ = ["make_app", "serve_web"]
