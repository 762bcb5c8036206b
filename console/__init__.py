"""The console 管理后台: pages, JSON and live changes for the people who run wxbot, on the API's port."""

from console.routes import add_to

__all__ = ["add_to"]
