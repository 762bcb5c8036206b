"""Reasons why an account is not online, with texts in both languages."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HOSTNAME_MISMATCH: Final = 62  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH


class Problem(StrEnum):
    """Kinds of problems."""

    UNREACHABLE = "unreachable"
    TOKEN_REFUSED = "token_refused"
    SERVER_NAME = "server_name"
    CERTIFICATE = "certificate"
    NO_TLS = "no_tls"
    TLS = "tls"
    HELD = "held"
    CANNOT_START = "cannot_start"
    NO_ANSWER = "no_answer"
    STREAM_ENDED = "stream_ended"
    STREAM_FAILED = "stream_failed"
    UNFORESEEN = "unforeseen"
    AUTHORITY_DOWN = "authority_down"
    TOKEN_UNKNOWN = "token_unknown"
    NOT_LOGGED_IN = "not_logged_in"
    LOGGED_OUT = "logged_out"
    STOPPED = "stopped"
    ADDRESS_REFUSED = "address_refused"
    SECRET_REFUSED = "secret_refused"
    ACCOUNT_REFUSED = "account_refused"
    API_DOWN = "api_down"


# Chinese and English texts; {0} is the detail.
TEXTS: Final[dict[Problem, tuple[str, str]]] = {
    Problem.UNREACHABLE: ("连不上网关：{0}", "the gateway cannot be reached: {0}"),
    Problem.TOKEN_REFUSED: ("网关不接受这个 token", "the gateway rejects the token"),
    Problem.SERVER_NAME: (
        "网关的证书不是给 {0} 的；请把证书里的名字填到 tls_server_name",
        "the gateway's certificate is not trusted: it is not valid for {0}; set tls_server_name to the name in it",
    ),
    Problem.CERTIFICATE: ("网关的证书不可信：{0}", "the gateway's certificate is not trusted: {0}"),
    Problem.NO_TLS: (
        "网关没有用 TLS，是否要设 tls: false？（{0}）",
        "the gateway does not use TLS; set tls: false if this is intended ({0})",
    ),
    Problem.TLS: ("与网关的 TLS 连接失败（{0}）", "TLS ({0})"),
    Problem.HELD: (
        "网关的事件流被另一个客户端占用；如果没有别的客户端，请重启网关",
        "another client holds the gateway's event stream; if none does, restart the gateway",
    ),
    Problem.CANNOT_START: ("网关启动不了账号：{0}", "the gateway cannot start the account: {0}"),
    Problem.NO_ANSWER: ("网关没有响应", "the gateway does not respond"),
    Problem.STREAM_ENDED: ("网关结束了事件流", "the gateway ended the event stream"),
    Problem.STREAM_FAILED: ("事件流出错：{0}", "the event stream failed: {0}"),
    Problem.UNFORESEEN: ("连接出了意外的错误：{0}", "the connection failed unexpectedly: {0}"),
    Problem.AUTHORITY_DOWN: ("查不到网关地址（authority）：{0}", "the authority cannot be reached: {0}"),
    Problem.TOKEN_UNKNOWN: (
        "authority 里没有这个 token 对应的网关：token 有误、已过期，或网关还没启动",
        "the authority has no gateway for the token: the token is wrong or expired, or the gateway is not running",
    ),
    Problem.NOT_LOGGED_IN: ("网关上的微信还没有登录", "the account is not logged in on the gateway"),
    Problem.LOGGED_OUT: ("微信账号已退出登录", "the account was logged out"),
    Problem.STOPPED: ("已停止", "stopped"),
    Problem.ADDRESS_REFUSED: (
        "企业微信不接受本机 IP 的调用；请把它加到应用的“企业可信IP”（{0}）",
        "WeCom rejects calls from this address; add it to the app's trusted addresses ({0})",
    ),
    Problem.SECRET_REFUSED: (
        "企业微信不接受 corp_id 或 secret（{0}）",
        "WeCom rejects corp_id or secret ({0})",
    ),
    Problem.ACCOUNT_REFUSED: (
        "企业微信不让应用管理这个客服账号；请核对 open_kfid，并在微信客服的 API 页面把账号交给应用管理（{0}）",
        "WeCom does not let the app manage this account; check open_kfid, and give the account to the app ({0})",
    ),
    Problem.API_DOWN: ("企业微信接口暂不可用：{0}", "the WeCom API is unavailable: {0}"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A problem with a detail, which never contains a token. str() returns the English text."""

    problem: Problem
    detail: str = ""

    def __str__(self) -> str:
        return self.text("en")

    def text(self, language: str) -> str:
        """Return the text in `zh` or `en`."""
        return TEXTS[self.problem][0 if language == "zh" else 1].format(self.detail)


def loss_reason(error: Exception, endpoint: str) -> Reason:
    """Return the reason for a failed or lost connection."""
    if isinstance(error, TimeoutError):
        detail = "timeout"
    elif isinstance(error, socket.gaierror):
        detail = error.strerror or "unknown host"
    elif isinstance(error, OSError) and error.errno:  # str(error) would repeat the address
        detail = os.strerror(error.errno) + (f": {error.filename}" if error.filename else "")
    else:
        detail = type(error).__name__
    return Reason(Problem.UNREACHABLE, f"{endpoint} ({detail})")


def tls_reason(error: ssl.SSLError, name: str) -> Reason:
    """Return the reason for a failed TLS handshake; `name` is the expected name in the certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == HOSTNAME_MISMATCH:
            return Reason(Problem.SERVER_NAME, name)
        return Reason(Problem.CERTIFICATE, error.verify_message)
    reason = getattr(error, "reason", None) or type(error).__name__  # only errors of OpenSSL have a reason
    return Reason(Problem.NO_TLS if reason == "WRONG_VERSION_NUMBER" else Problem.TLS, reason)
