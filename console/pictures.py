"""QR codes, drawn locally so that their content is not sent to anyone."""

from __future__ import annotations

import io

from aiohttp import web


def picture(content: str) -> web.Response:
    """Return a QR code as SVG."""
    import segno  # 1 MB, loaded when a code is drawn

    output = io.BytesIO()
    segno.make(content, error="m").save(output, kind="svg", scale=6, border=2, dark="#000", light="#fff", xmldecl=False)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=output.getvalue(), content_type="image/svg+xml", headers=headers)
