"""Access tokens: whose they are, what they are good for, and every way in which one is none."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from streams.gateway.identity import Tokens, bearer, open_tokens
from streams.gateway.problems import Problem
from streams.settings import Settings, SettingsError, gateway_secret

SECRET = b"0123456789abcdef0123456789abcdef"


def claims(**changes: Any) -> dict[str, Any]:
    now_s = int(time.time())
    made = {"aud": "lookstream", "exp": now_s + 60, "sub": "alice", "scope": "subscribe"} | changes
    return {name: value for name, value in made.items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm=algorithm)


def refused(tokens: Tokens, token: str) -> Problem:
    with pytest.raises(Problem) as raised:
        tokens.verified(token)
    assert raised.value.status == 401
    assert raised.value.headers["www-authenticate"].startswith("Bearer")
    return raised.value


def pems(key: Any) -> tuple[bytes, bytes]:
    """Private and public PEM."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


def test_what_is_signed_is_verified() -> None:
    tokens = Tokens(secret=SECRET)
    token, expires_at_s = tokens.signed("alice", ["subscribe", "produce"], 60)
    identity = tokens.verified(token)
    assert (identity.user_id, identity.scopes) == ("alice", {"subscribe", "produce"})
    assert identity.expires_at_s == expires_at_s == pytest.approx(time.time() + 60, abs=5)


def test_a_shoppers_token_reads_that_shopper_only() -> None:
    identity = Tokens(secret=SECRET).verified(signed())
    identity.require_shopper("alice")
    for user_id in ("bob", "Alice", "alice ", ""):
        with pytest.raises(Problem) as raised:
            identity.require_shopper(user_id)
        assert raised.value.status == 403


def test_scopes_are_needed_one_by_one() -> None:
    identity = Tokens(secret=SECRET).verified(signed(scope="produce operate"))
    identity.require("produce")
    with pytest.raises(Problem) as raised:
        identity.require_shopper("alice")
    assert (raised.value.status, raised.value.more["expected"]) == (403, "subscribe")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"exp": "soon"},
        {"aud": "another"},
        {"aud": None},
        {"nbf": int(time.time()) + 600},
        {"iat": int(time.time()) + 600},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "a" * 129},
        {"scope": ["subscribe"]},
    ],
    ids=str,
)
def test_claims_that_do_not_hold_are_refused(changes: dict[str, Any]) -> None:
    refused(Tokens(secret=SECRET), signed(**changes))


def test_a_clock_may_be_a_little_wrong() -> None:
    Tokens(secret=SECRET).verified(signed(nbf=int(time.time()) + 2))


def test_another_signature_is_refused() -> None:
    tokens = Tokens(secret=SECRET)
    refused(tokens, signed(b"f" * 32))
    head, body, signature = signed().split(".")
    other = base64.urlsafe_b64encode(json.dumps(claims(sub="bob")).encode()).rstrip(b"=").decode()
    refused(tokens, f"{head}.{other}.{signature}")
    for token in ("", "a", "a.b.c", "ü.ü.ü", f"{head}.{body}.", "x" * 5000):
        refused(tokens, token)


def test_the_token_does_not_choose_the_algorithm() -> None:
    unsigned = jwt.encode(claims(), None, algorithm="none")
    refused(Tokens(secret=SECRET), unsigned)
    refused(Tokens(secret=SECRET * 2), signed(SECRET * 2, algorithm="HS512"))
    private, public = pems(rsa.generate_private_key(65537, 2048))
    tokens = Tokens(public_key=public)
    assert tokens.verified(signed(private, "RS256")).user_id == "alice"
    refused(tokens, unsigned)
    refused(tokens, signed(private, "RS512"))
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode()
    import hashlib
    import hmac

    mac = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    refused(tokens, forged)  # the public key taken for a secret


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(ec.generate_private_key(ec.SECP256R1()), "ES256"), (ed25519.Ed25519PrivateKey.generate(), "EdDSA")],
    ids=("ES256", "EdDSA"),
)
def test_the_kind_of_key_says_which_algorithm(key: Any, algorithm: str) -> None:
    private, public = pems(key)
    tokens = Tokens(public_key=public)
    assert tokens.verified(signed(private, algorithm)).user_id == "alice"
    with pytest.raises(SettingsError, match="private key"):
        tokens.signed("alice", ["subscribe"], 60)


@pytest.mark.parametrize(
    "pem", [b"no key", pems(ec.generate_private_key(ec.SECP384R1()))[1]], ids=("junk", "P-384")
)
def test_other_keys_are_refused_at_the_start(pem: bytes) -> None:
    with pytest.raises(SettingsError, match="gateway_public_key"):
        Tokens(public_key=pem)


def test_a_secret_is_made_once_and_kept_to_oneself(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    token, _ = open_tokens(settings).signed("alice", ["subscribe"], 60)
    assert open_tokens(settings).verified(token).user_id == "alice"
    assert len(gateway_secret(settings)) == 32
    assert (tmp_path / "gateway.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.key"]


def test_a_missing_key_file_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="gateway_public_key"):
        open_tokens(Settings(gateway_public_key=tmp_path / "none.pem"))


def test_what_no_token_can_say() -> None:
    tokens = Tokens(secret=SECRET)
    with pytest.raises(ValueError, match="scope"):
        tokens.signed(None, ["subscribe"], 60)
    with pytest.raises(ValueError, match="everything"):
        tokens.signed("alice", ["everything"], 60)
    with pytest.raises(ValueError, match="128"):
        tokens.signed("a" * 200, ["subscribe"], 60)


def test_the_header_is_a_bearers() -> None:
    assert bearer("bearer  a.b.c ") == "a.b.c"
    for header in (None, "", "Bearer", "Bearer ", "Basic YTpi", "a.b.c"):
        with pytest.raises(Problem) as raised:
            bearer(header)
        assert raised.value.status == 401
