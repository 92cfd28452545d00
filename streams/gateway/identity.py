"""Who may do what: signed, expiring access tokens (JWT, RFC 7519).

In: the `Authorization` header. Out: an `Identity`. Fails with a Problem: 401 without a valid token, 403 where
the token does not allow it. The algorithms follow from the kind of key alone, never from the token.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import TypeAdapter, ValidationError

from schemas.base import UserId
from schemas.errors import shape
from streams.gateway.problems import Problem
from streams.settings import Settings, SettingsError, gateway_secret

AUDIENCE: Final = "lookstream"
SCOPES: Final = ("subscribe", "produce", "operate")
LEEWAY_S: Final = 5
_MAX_TOKEN_CHARS: Final = 4096
_USER_ID: Final = TypeAdapter(UserId)
_CHALLENGE: Final = {"www-authenticate": 'Bearer realm="lookstream"'}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for: one shopper, or nobody in particular (a shop's own system)."""

    user_id: str | None
    scopes: frozenset[str]
    expires_at_s: float

    def require(self, scope: str) -> None:
        """Raise a Problem (403) unless the token has this scope."""
        if scope not in self.scopes:
            has = " ".join(sorted(self.scopes)) or "none"
            raise Problem(
                403, f"this takes a token with the scope '{scope}'", "scope", got=has, expected=scope
            )

    def require_shopper(self, user_id: str) -> None:
        """Raise a Problem (403) unless the token is this shopper's, with the scope `subscribe`."""
        self.require("subscribe")
        if self.user_id != user_id:
            raise Problem(403, "the token does not name this shopper", "other-shopper")


class Tokens:
    """Verifies tokens, and signs them where the secret is known here."""

    def __init__(self, secret: bytes | None = None, public_key: bytes | None = None) -> None:
        """One of both: `secret` for HS256, `public_key` as PEM. Raises SettingsError for another key."""
        self._secret = secret if public_key is None else None
        self._key: Any = secret
        self._algorithms = ["HS256"]
        if public_key is not None:
            self._key, self._algorithms = _verifying(public_key)
        elif secret is None or len(secret) < 32:
            raise SettingsError("gateway_secret: expected at least 32 bytes")

    def verified(self, token: str) -> Identity:
        """The identity that a token states; raises a Problem (401)."""
        if len(token) > _MAX_TOKEN_CHARS:
            raise _unauthorized(f"a token of {len(token)} characters, expected at most {_MAX_TOKEN_CHARS}")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=self._algorithms,
                audience=AUDIENCE,
                leeway=LEEWAY_S,
                options={"require": ["exp", "aud"]},
            )
            scope, user_id = claims.get("scope", ""), claims.get("sub")
            if not isinstance(scope, str):
                raise _unauthorized("the token's scope is no text")
            user_id = None if user_id is None else _USER_ID.validate_python(user_id)
            return Identity(user_id, frozenset(scope.split()), float(claims["exp"]))
        except jwt.InvalidTokenError as error:
            raise _unauthorized(f"the token is not valid: {error}") from None
        except ValidationError:
            raise _unauthorized("the token's sub is no user id") from None

    def signed(self, user_id: str | None, scopes: Sequence[str], seconds: float) -> tuple[str, int]:
        """A token and when it expires (unix seconds).

        Raises SettingsError where tokens are signed elsewhere, ValueError for what no token can say.
        """
        if self._secret is None:
            raise SettingsError(
                "tokens are signed by the owner of the private key (gateway_public_key is set)"
            )
        if unknown := set(scopes) - set(SCOPES):
            raise ValueError(f"scope: got {', '.join(sorted(unknown))}, expected {', '.join(SCOPES)}")
        if "subscribe" in scopes and user_id is None:
            raise ValueError("scope: subscribe needs a user")
        now_s = int(time.time())
        claims: dict[str, Any] = {"aud": AUDIENCE, "iat": now_s, "exp": now_s + max(1, round(seconds))}
        claims["scope"] = " ".join(scopes)
        if user_id is not None:
            claims["sub"] = _user_id(user_id)
        return jwt.encode(claims, self._secret, algorithm="HS256"), claims["exp"]


def open_tokens(settings: Settings) -> Tokens:
    """The tokens that the settings speak of; raises SettingsError."""
    if settings.gateway_public_key is None:
        return Tokens(secret=gateway_secret(settings))
    return Tokens(public_key=_pem(settings.gateway_public_key))


def bearer(authorization: str | None) -> str:
    """The token in an `Authorization` header; raises a Problem (401)."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("this takes an access token: Authorization: Bearer …")
    return token.strip()


def _user_id(text: str) -> str:
    try:
        return _USER_ID.validate_python(text)
    except ValidationError:
        raise ValueError(f"user: got {shape(text)}, expected 1 to 128 printable characters") from None


def _unauthorized(detail: str) -> Problem:
    return Problem(401, detail, "token", _CHALLENGE)


def _pem(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"gateway_public_key: {path}: {error.strerror}, expected a PEM file") from None


def _verifying(pem: bytes) -> tuple[Any, list[str]]:
    """The key, and the algorithms that it is for."""
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise SettingsError(f"gateway_public_key: {error}, expected a PEM public key") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return key, ["RS256"]
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key, ["ES256"]
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key, ["EdDSA"]
    raise SettingsError("gateway_public_key: expected an RSA (2048 bits or more), P-256 or Ed25519 key")
