"""Whether a gateway has ever spoken TLS with this relay, kept over restarts."""

from __future__ import annotations

from pathlib import Path


class TlsMark:
    """A file beside the journal; it holds the gateway's endpoint."""

    def __init__(self, path: Path, endpoint: str) -> None:
        self._path = path
        self._endpoint = endpoint

    @property
    def is_set(self) -> bool:
        """Whether TLS was seen at this endpoint."""
        return self._path.exists() and self._endpoint in self._path.read_text(encoding="utf-8").split()

    def set(self) -> None:
        """TLS works at this endpoint."""
        if not self.is_set:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{self._endpoint}\n")
