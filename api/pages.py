"""Self-contained HTML pages: styles and scripts are inline, and the CSP allows no others."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from api.app_keys import PAGES

TEMPLATES: Final = Path(__file__).parent / "templates"


def make_pages() -> Environment:
    """Create the template environment with the inline styles and scripts."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    # Markup is safe here: these files are part of the program.
    inline = {
        path.name: Markup(path.read_text(encoding="utf-8"))
        for path in sorted(TEMPLATES.iterdir())
        if path.suffix in {".css", ".js"}
    }
    pages.globals.update(inline=inline, policy=_policy(inline))
    return pages


def _policy(inline: Mapping[str, str]) -> str:
    """Return a CSP that allows exactly these styles and scripts, and data: images."""

    def hashes(suffix: str) -> str:
        texts = (text for name, text in inline.items() if name.endswith(suffix))
        return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in texts)

    return (
        f"default-src 'none'; style-src {hashes('.css')}; script-src {hashes('.js')}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def page(
    request: web.Request, name: str, values: dict[str, Any], status: int = 200, retry_after: float | None = None
) -> web.Response:
    """Render a page that is not cached, not indexed, and sends no referrer."""
    pages = request.app[PAGES]
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": str(pages.globals["policy"]),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
    }
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return web.Response(body=pages.get_template(name).render(values).encode(), status=status, headers=headers)
