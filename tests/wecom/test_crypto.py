"""Encryption of callbacks, tested in both directions against another implementation."""

from __future__ import annotations

import pytest
from wechatpy.enterprise.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.utils import to_text

from protocol.wecom_crypto import BadCallback, CallbackCrypto, decode_key

TOKEN, KEY, CORP = "callbacktoken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "ww0123456789abcdef"
MESSAGE = "<xml><Event>kf_msg_or_event</Event><Name>宋公明</Name></xml>"
ENVELOPE = "<xml><ToUserName>x</ToUserName><Encrypt>{}</Encrypt></xml>"


def our_crypto(corp: str = CORP) -> CallbackCrypto:
    return CallbackCrypto(TOKEN, KEY, corp)


def other_crypto() -> WeChatCrypto:
    return WeChatCrypto(TOKEN, KEY, CORP)


@pytest.mark.parametrize("size", [0, 1, 11, 12, 31, 32, 33, 5000])
def test_other_implementation_decrypts_ours(size: int) -> None:
    message = MESSAGE + "x" * size
    ciphertext, signature = our_crypto().encrypt(message.encode(), "1700000000", "nonce")
    opened = other_crypto().decrypt_message(ENVELOPE.format(ciphertext), signature, "1700000000", "nonce")
    assert to_text(opened) == message


@pytest.mark.parametrize("size", [0, 1, 11, 12, 31, 32, 33, 5000])
def test_we_decrypt_the_other_implementation(size: int) -> None:
    message = MESSAGE + "x" * size
    sealed = to_text(other_crypto().encrypt_message(message, "nonce", "1700000000"))
    ciphertext = sealed.partition("<Encrypt><![CDATA[")[2].partition("]]>")[0]
    signature = sealed.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    assert our_crypto().open(signature, "1700000000", "nonce", ciphertext).decode() == message


def test_other_implementation_verifies_our_echo() -> None:
    ciphertext, signature = our_crypto().encrypt(b"4711", "1700000000", "nonce")
    assert to_text(other_crypto().check_signature(signature, "1700000000", "nonce", ciphertext)) == "4711"
    with pytest.raises(InvalidSignatureException):
        other_crypto().check_signature("0" * 40, "1700000000", "nonce", ciphertext)


def test_forged_damaged_or_foreign_messages_are_rejected() -> None:
    ciphertext, signature = our_crypto().encrypt(MESSAGE.encode(), "1", "n")
    for other in ((signature, "2", "n", ciphertext), ("x" * 40, "1", "n", ciphertext), ("签名", "1", "n", ciphertext)):
        with pytest.raises(BadCallback, match="signature"):
            our_crypto().open(*other)
    for damaged in ("", "????", ciphertext[:-8] + "AAAAAAA="):
        with pytest.raises(BadCallback):
            our_crypto().open(our_crypto().signature("1", "n", damaged), "1", "n", damaged)
    with pytest.raises(BadCallback, match="receiver"):
        our_crypto("another").open(signature, "1", "n", ciphertext)
    with pytest.raises(ValueError, match="43"):
        decode_key("short")
