"""The console 管理后台: web pages for operators, their JSON API and live changes, on the API's port."""

from console.routes import add_to

__all__ = ["add_to"]
