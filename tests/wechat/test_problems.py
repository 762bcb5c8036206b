"""Reasons of lost connections, and their texts."""

from __future__ import annotations

import socket
import ssl

import pytest

from wechat.problems import TEXTS, Problem, Reason, loss_reason, tls_reason


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (TimeoutError(), "timeout"),
        (TimeoutError(110, "slow"), "timeout"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (socket.gaierror(), "unknown host"),
        (ConnectionRefusedError(111, "whatever with 10.0.0.5"), "Connection refused"),
        (FileNotFoundError(2, "x", "/ca.pem"), "No such file or directory: /ca.pem"),
        (OSError("no number"), "OSError"),
        (EOFError("x"), "EOFError"),
    ],
)
def test_loss_names_the_endpoint_and_the_cause(error: Exception, why: str) -> None:
    assert loss_reason(error, "h:1") == Reason(Problem.UNREACHABLE, f"h:1 ({why})")


def _verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_code, error.verify_message = code, "self-signed"
    return error


def _tls(why: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "broken")
    error.reason = why
    return error


def test_tls_failure_names_what_to_change() -> None:
    assert tls_reason(_verification(62), "gw") == Reason(Problem.SERVER_NAME, "gw")
    assert tls_reason(_verification(18), "gw") == Reason(Problem.CERTIFICATE, "self-signed")
    assert tls_reason(_tls("WRONG_VERSION_NUMBER"), "gw") == Reason(Problem.NO_TLS, "WRONG_VERSION_NUMBER")
    assert tls_reason(_tls("BAD_RECORD"), "gw") == Reason(Problem.TLS, "BAD_RECORD")
    assert tls_reason(ssl.SSLError(1, "broken"), "gw") == Reason(Problem.TLS, "SSLError")


def test_each_problem_has_a_text_in_both_languages() -> None:
    assert set(TEXTS) == set(Problem)
    reason = Reason(Problem.UNREACHABLE, "h:1")
    assert reason.text("zh") == "连不上网关：h:1"
    assert str(reason) == reason.text("en") == "the gateway cannot be reached: h:1"
