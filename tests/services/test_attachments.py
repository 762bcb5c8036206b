"""Files in requests: as base64, or from allowed hosts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from config.settings import ApiSettings, LimitSettings
from errors import BodyTooLarge, InvalidParameter, StorageFull
from services.messaging import attachments
from services.messaging.attachments import Attachment, Attachments
from services.messaging.budgets import Budgets
from services.messaging.http_client import HttpClient
from services.messaging.media import MediaStore
from tests.ports import free_port
from tests.services.clock import Clock
from tests.stories.business import never_respond
from tests.web_server import serving

MAX_NAME = 100

PNG = b"\x89PNG\r\n\x1a\n...."


def store(folder: Path, http: HttpClient, *hosts: str, **limits: Any) -> Attachments:
    settings = LimitSettings(**{"free_megabytes": 0, **limits})
    media = MediaStore(folder / "media", settings, Budgets(settings, Clock()))
    return Attachments(media, http, ApiSettings(media_hosts=list(hosts)))


@pytest.fixture
def files(tmp_path: Path, http: HttpClient) -> Attachments:
    return store(tmp_path, http)


def content(path: str) -> bytes:
    return Path(path).read_bytes()


def encoded(data: bytes, name: str = "a.txt", *, picture: bool = False) -> Attachment:
    return Attachment(picture, base64=base64.b64encode(data).decode(), name=name)


async def test_file_is_stored_with_its_name(files: Attachments) -> None:
    kept = await files.store(encoded(b"data", "报价.txt"))
    assert (content(kept.path), kept.name) == (b"data", "报价.txt")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("", "file"),
        (" .. ", "file"),
        ("../a:b.txt", "_a_b.txt"),
        ("a\x7f\x01b\x9f.txt", "a_b_.txt".replace("a_b", "a__b")),
        ("x" * 200 + ".txt", "x" * (MAX_NAME - 4) + ".txt"),
    ],
)
async def test_name_is_made_safe(files: Attachments, given: str, stored: str) -> None:
    assert (await files.store(encoded(b"data", given))).name == stored


async def test_size_is_limited(files: Attachments, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidParameter, match="the file is empty"):
        await files.store(Attachment(picture=False, name="a"))
    monkeypatch.setattr(attachments, "MAX_ATTACHMENT", 10)
    await files.store(encoded(b"x" * 10))
    with pytest.raises(BodyTooLarge, match="11 bytes"):
        await files.store(encoded(b"x" * 11))


async def test_twenty_megabytes_are_accepted(files: Attachments, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 20 * 1024 * 1024
    for size, fits in ((largest, True), (largest + 1, False)):
        monkeypatch.setattr(attachments, "_decoded", lambda _text, s=size: bytes(s))
        if fits:
            await files.store(encoded(b""))
        else:
            with pytest.raises(BodyTooLarge):
                await files.store(encoded(b""))


@pytest.mark.parametrize("text", ["*", "YQ", "YQ==\n", "é"])
async def test_invalid_base64_is_rejected(files: Attachments, text: str) -> None:
    with pytest.raises(InvalidParameter, match="base64"):
        await files.store(Attachment(picture=False, base64=text))


@pytest.mark.parametrize(
    ("data", "name", "stored"),
    [
        (PNG, "a", "a.png"),
        (PNG, "a.PNG", "a.PNG"),
        (PNG, "a.jpg", "a.jpg.png"),
        (b"\xff\xd8\xff\xe0", "a.jpeg", "a.jpeg"),
        (b"\xff\xd8\xff\xe0", "a.jpg", "a.jpg"),
        (b"\xff\xd8\xff\xe0", "a.png", "a.png.jpg"),
        (b"GIF87a", "a", "a.gif"),
        (b"GIF89a", "a", "a.gif"),
        (b"RIFF\n\n\n\nWEBP", "a.jpeg", "a.jpeg.webp"),
        (b"BM...", "a", "a.bmp"),
    ],
)
async def test_picture_has_the_suffix_of_its_format(files: Attachments, data: bytes, name: str, stored: str) -> None:
    assert (await files.store(encoded(data, name, picture=True))).name == stored


@pytest.mark.parametrize("data", [b"text", b"GIF88a", b"x" + PNG])
async def test_other_formats_are_no_pictures(files: Attachments, data: bytes) -> None:
    with pytest.raises(InvalidParameter, match="not a picture"):
        await files.store(encoded(data, "a.png", picture=True))


async def test_full_store_is_reported(tmp_path: Path, http: HttpClient) -> None:
    with pytest.raises(StorageFull, match=r"limits\.free_megabytes"):
        await store(tmp_path, http, free_megabytes=10**9).store(encoded(b"x"))


# ---- fetched ----


async def test_file_is_fetched_from_an_allowed_host(tmp_path: Path, http: HttpClient) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=request.path.encode())

    async with serving(answer) as url:
        for allowed in ("127.0.0.1", urlsplit(url).netloc):
            kept = await store(tmp_path, http, allowed).store(Attachment(picture=False, url=f"{url}/%E4%BB%B7.txt"))
            assert (kept.name, content(kept.path).decode()) == ("价.txt", "/价.txt")
            named = await store(tmp_path, http, allowed).store(Attachment(picture=False, url=f"{url}/a", name="b"))
            assert named.name == "b"
        for other in ((), ("localhost",), ("127.0.0.1:1",)):
            with pytest.raises(InvalidParameter, match=r"127\.0\.0\.1 is not in api\.media_hosts"):
                await store(tmp_path, http, *other).store(Attachment(picture=False, url=f"{url}/a"))


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/a", "/a", "http:///a", "http://[", "x"])
async def test_other_addresses_are_rejected(tmp_path: Path, http: HttpClient, address: str) -> None:
    with pytest.raises(InvalidParameter, match="url"):
        await store(tmp_path, http, "127.0.0.1").store(Attachment(picture=False, url=address))


async def test_failed_download_is_reported(tmp_path: Path, http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/hangs":
            await never_respond()
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/large"})
        return web.Response(body=b"x" * 11)

    files = store(tmp_path, http, "127.0.0.1")
    async with serving(answer) as url:
        with pytest.raises(InvalidParameter, match="returned status 302"):
            await files.store(Attachment(picture=False, url=f"{url}/moved"))
        with (
            monkeypatch.context() as patch,
            pytest.raises(InvalidParameter, match="could not download the file: TimeoutError"),
        ):
            patch.setattr(attachments, "FETCH_SECONDS", 0.2)
            await files.store(Attachment(picture=False, url=f"{url}/hangs"))
        await files.store(Attachment(picture=False, url=f"{url}/large"))
        monkeypatch.setattr(attachments, "MAX_ATTACHMENT", 10)
        with pytest.raises(BodyTooLarge, match="more than 10 bytes"):
            await files.store(Attachment(picture=False, url=f"{url}/large"))

    def invalid(*_: object, **__: object) -> None:
        raise ValueError("invalid header")

    with monkeypatch.context() as patch, pytest.raises(InvalidParameter, match="could not download the file: Val"):
        patch.setattr(http.session, "_request", invalid)
        await files.store(Attachment(picture=False, url="http://127.0.0.1/a"))
    with pytest.raises(InvalidParameter, match="could not download the file: Client"):
        await files.store(Attachment(picture=False, url=f"http://127.0.0.1:{free_port()}/a"))
