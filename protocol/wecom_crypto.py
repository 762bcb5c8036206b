"""Encryption of WeCom callbacks: AES-256-CBC with the EncodingAESKey, signed with SHA-1 over the sorted parts.

Source: developer.work.weixin.qq.com, 加解密方案说明. The plaintext is 16 random bytes, the length of the message as
four bytes in network order, the message, and the corp id, padded to blocks of 32 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

BLOCK: Final = 32  # the scheme pads (PKCS#7) to 32 bytes, not to AES's 16
RANDOM: Final = 16
HEAD: Final = RANDOM + 4


class BadCallback(ValueError):
    """The callback is not from the platform, or not for this account."""


class CallbackCrypto:
    """Encrypts and decrypts the callbacks of one account."""

    def __init__(self, token: str, aes_key: str, receiver: str) -> None:
        self._token = token
        self._key = decode_key(aes_key)
        self._receiver = receiver.encode()

    def signature(self, timestamp: str, nonce: str, ciphertext: str) -> str:
        """Return the hex signature of a ciphertext."""
        parts = sorted((self._token, timestamp, nonce, ciphertext))
        return hashlib.sha1("".join(parts).encode()).hexdigest()

    def open(self, signature: str, timestamp: str, nonce: str, ciphertext: str) -> bytes:
        """Decrypt a message; raise BadCallback if signature, padding or receiver is wrong."""
        expected = self.signature(timestamp, nonce, ciphertext)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise BadCallback("the signature is wrong")
        return self._decrypt(ciphertext)

    def encrypt(self, message: bytes, timestamp: str, nonce: str) -> tuple[str, str]:
        """Encrypt a message and return the ciphertext and its signature."""
        plaintext = os.urandom(RANDOM) + struct.pack(">I", len(message)) + message + self._receiver
        padding = BLOCK - len(plaintext) % BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(plaintext + bytes([padding]) * padding) + encryptor.finalize()
        ciphertext = base64.b64encode(sealed).decode()
        return ciphertext, self.signature(timestamp, nonce, ciphertext)

    def _decrypt(self, ciphertext: str) -> bytes:
        try:
            encrypted = base64.b64decode(ciphertext, validate=True)
            decryptor = self._cipher().decryptor()
            plaintext = decryptor.update(encrypted) + decryptor.finalize()
        except (ValueError, binascii.Error):
            raise BadCallback("the ciphertext is damaged") from None
        if not plaintext or not 1 <= plaintext[-1] <= BLOCK:
            raise BadCallback("the padding is wrong")
        plaintext = plaintext[: -plaintext[-1]]
        if len(plaintext) < HEAD:
            raise BadCallback("the message is too short")
        (length,) = struct.unpack(">I", plaintext[RANDOM:HEAD])
        message, receiver = plaintext[HEAD : HEAD + length], plaintext[HEAD + length :]
        if len(message) != length or not hmac.compare_digest(receiver, self._receiver):
            raise BadCallback("the message is for another receiver")
        return message

    def _cipher(self) -> Cipher[modes.CBC]:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # 6 MB, only for WeCom accounts

        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))


def decode_key(aes_key: str) -> bytes:
    """Decode an EncodingAESKey (43 characters of base64 without padding) to 32 bytes; raise ValueError."""
    try:
        key = base64.b64decode(aes_key + "=", validate=True)
    except binascii.Error:
        key = b""
    if len(aes_key) != 43 or len(key) != 32:
        raise ValueError("the EncodingAESKey has 43 letters and digits")
    return key
