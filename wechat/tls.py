"""TLS towards a gateway, as Wechaty puppet services since 1.0 speak it, and plaintext for the older ones."""

from __future__ import annotations

import ipaddress
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from grpclib.client import Channel
from grpclib.config import Configuration

from protocol.codec import LenientCodec
from wechat.batched_channel import BatchedChannel

if TYPE_CHECKING:
    from config.settings import AssistantSettings

# The public root certificate of the Wechaty project, valid until 2031-08: TLS_CA_CERT of the npm package
# wechaty-puppet-service (src/auth/ca.ts), trusted by default by every Wechaty client.
WECHATY_CA: Final = """\
-----BEGIN CERTIFICATE-----
MIIFxTCCA62gAwIBAgIUYddLAoa8JnLzJ80l2u5vGuFsaEIwDQYJKoZIhvcNAQEL
BQAwcjELMAkGA1UEBhMCVVMxFjAUBgNVBAgMDVNhbiBGcmFuY2lzY28xEjAQBgNV
BAcMCVBhbG8gQWx0bzEQMA4GA1UECgwHV2VjaGF0eTELMAkGA1UECwwCQ0ExGDAW
BgNVBAMMD3dlY2hhdHktcm9vdC1jYTAeFw0yMTA4MDkxNTQ4NTJaFw0zMTA4MDcx
NTQ4NTJaMHIxCzAJBgNVBAYTAlVTMRYwFAYDVQQIDA1TYW4gRnJhbmNpc2NvMRIw
EAYDVQQHDAlQYWxvIEFsdG8xEDAOBgNVBAoMB1dlY2hhdHkxCzAJBgNVBAsMAkNB
MRgwFgYDVQQDDA93ZWNoYXR5LXJvb3QtY2EwggIiMA0GCSqGSIb3DQEBAQUAA4IC
DwAwggIKAoICAQDulLjOZhzQ58TSQ7TfWNYgdtWhlc+5L9MnKb1nznVRhzAkZo3Q
rPLRW/HDjlv2OEbt4nFLaQgaMmc1oJTUVGDBDlrzesI/lJh7z4eA/B0z8eW7f6Cw
/TGc8lgzHvq7UIE507QYPhvfSejfW4Prw+90HJnuodriPdMGS0n9AR37JPdQm6sD
iMFeEvhHmM2SXRo/o7bll8UDZi81DoFu0XuTCx0esfCX1W5QWEmAJ5oAdjWxJ23C
lxI1+EjwBQKXGqp147VP9+pwpYW5Xxpy870kctPBHKjCAti8Bfo+Y6dyWz2UAd4w
4BFRD+18C/TgX+ECl1s9fsHMY15JitcSGgAIz8gQX1OelECaTMRTQfNaSnNW4LdS
sXMQEI9WxAU/W47GCQFmwcJeZvimqDF1QtflHSaARD3O8tlbduYqTR81LJ63bPoy
9e1pdB6w2bVOTlHunE0YaGSJERALVc1xz40QpPGcZ52mNCb3PBg462RQc77yv/QB
x/P2RC1y0zDUF2tP9J29gTatWq6+D4MhfEk2flZNyzAgJbDuT6KAIJGzOB1ZJ/MG
o1gS13eTuZYw24LElrhd1PrR6OHK+lkyYzqUPYMulUg4HzaZIDclfHKwAC4lecKm
zC5q9jJB4m4SKMKdzxvpIOfdahoqsZMg34l4AavWRqPTpwEU0C0dboNA/QIDAQAB
o1MwUTAdBgNVHQ4EFgQU0rey3QPklTOgdhMJ9VIA6KbZ5bAwHwYDVR0jBBgwFoAU
0rey3QPklTOgdhMJ9VIA6KbZ5bAwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0B
AQsFAAOCAgEAx2uyShx9kLoB1AJ8x7Vf95v6PX95L/4JkJ1WwzJ9Dlf3BcCI7VH7
Fp1dnQ6Ig7mFqSBDBAUUBWAptAnuqIDcgehI6XAEKxW8ZZRxD877pUNwZ/45tSC4
b5U5y9uaiNK7oC3LlDCsB0291b3KSOtevMeDFoh12LcliXAkdIGGTccUxrH+Cyij
cBOc+EKGJFBdLqcjLDU4M6QdMMMFOdfXyAOSpYuWGYqrxqvxQjAjvianEyMpNZWM
lajggJqiPhfF67sZTB2yzvRTmtHdUq7x+iNOVonOBcCHu31aGxa9Py91XEr9jaIQ
EBdl6sycLxKo8mxF/5tyUOns9+919aWNqTOUBmI15D68bqhhOVNyvsb7aVURIt5y
6A7Sj4gSBR9P22Ba6iFZgbvfLn0zKLzjlBonUGlSPf3rSIYUkawICtDyYPvK5mi3
mANgIChMiOw6LYCPmmUVVAWU/tDy36kr9ZV9YTIZRYAkWswsJB340whjuzvZUVaG
DgW45GPR6bGIwlFZeqCwXLput8Z3C8Sw9bE9vjlB2ZCpjPLmWV/WbDlH3J3uDjgt
9PoALW0sOPhHfYklH4/rrmsSWMYTUuGS/HqxrEER1vpIOOb0hIiAWENDT/mruq22
VqO8MHX9ebjInSxPmhYOlrSZrOgEcogyMB4Z0SOtKVqPnkWmdR5hatU=
-----END CERTIFICATE-----
"""


AUTHORITY: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%\[\]-]+")  # what HTTP/2 lets :authority be
SHIPPED: Final = "insecure"  # the name in the certificate that every gateway brings


def server_name(token: str) -> str:
    """What the gateway's certificate must be for: the token up to its last "_", in lower case; "" if it has none."""
    return token[: max(token.rfind("_"), 0)].lower()


def context(ca_file: str = "") -> ssl.SSLContext:
    """A context that trusts only Wechaty's CA, or only the CA in `ca_file` (PEM).

    ssl.create_default_context is not used: since Python 3.13 it sets VERIFY_X509_STRICT, and Wechaty's CA lacks the
    key usage extension that flag demands.
    """
    pem = Path(ca_file).read_text(encoding="ascii", errors="ignore") if ca_file else WECHATY_CA
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=pem)
    made.set_alpn_protocols(["h2"])
    return made


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint is on this machine, where nobody is in between."""
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def certificate_name(settings: AssistantSettings) -> str:
    """The name that the gateway's certificate must be for."""
    host = settings.endpoint.rpartition(":")[0].strip("[]")
    return settings.tls_server_name or server_name(settings.token) or (host if settings.tls_ca else SHIPPED)


def make_channel(settings: AssistantSettings, *, secure: bool) -> Channel:
    """A channel to the gateway, not connected yet."""
    host, _, port = settings.endpoint.rpartition(":")
    host = host.strip("[]")
    if not secure:
        channel = BatchedChannel(host, int(port), codec=LenientCodec())
        if AUTHORITY.fullmatch(settings.token):
            # Gateways before 1.0 (and python-wechaty) take the token from :authority.
            channel._authority = settings.token
        return channel
    config = Configuration(ssl_target_name_override=certificate_name(settings))
    return BatchedChannel(host, int(port), ssl=context(settings.tls_ca), config=config, codec=LenientCodec())
