"""SMART Backend Services: a signed assertion buys an access token, kept until it expires or is refused.

As https://hl7.org/fhir/smart-app-launch/backend-services.html has it: a JWT signed with RS384 or ES384 that lives five minutes
at most, posted with grant type client_credentials.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from include.errors import SettingsError
from include.sources.fhir_options import Auth
from include.sources.pulling import PullError

if TYPE_CHECKING:
    from include.sources.fhir_http import FhirServer

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 240
_SPARE_SECONDS = 20  # a token this near its end is not used for a new request
_USUAL_SECONDS = 300  # where the server does not say how long a token lives


class AccessTokens:
    """The token of one server, got when first needed; threads share it. Tokens and keys are never shown."""

    def __init__(self, auth: Auth, secret: Callable[[str], str]) -> None:
        self._auth, self._secret, self._lock = auth, secret, Lock()
        self._token, self._until, self._url = "", 0.0, auth.token_url

    def current(self, server: FhirServer) -> str:
        """A token that holds now. Raises PullError where the server gives none, SettingsError where the key is none."""
        with self._lock:
            if not self._token or time.monotonic() >= self._until:
                self._token, seconds = self._get(server)
                self._until = time.monotonic() + max(seconds - min(_SPARE_SECONDS, seconds / 2), 0)
            return self._token

    def forget(self, token: str) -> None:
        """Drop a token that was refused; one that another thread got since stays."""
        with self._lock:
            if token == self._token:
                self._token = ""

    def _get(self, server: FhirServer) -> tuple[str, float]:
        self._url = self._url or self._discover(server)
        answer = server.ask(
            "POST", self._url, headers={"Accept": "application/json"}, with_token=False, what="the token request",
            form=lambda: {
                "grant_type": "client_credentials",
                "scope": self._auth.scope,
                "client_assertion_type": _ASSERTION_TYPE,
                "client_assertion": self._assertion(),
            },
        )  # fmt: skip
        said = answer.said
        token = said.get("access_token")
        if not isinstance(token, str) or not token or not token.isprintable():
            raise PullError(
                found=f"the authorization server gave no access token (status {answer.status})",
                expected="an access_token for the client's signed assertion",
                action="see that client_id, key, kid, algorithm and scope are those the server has registered",
            )
        seconds = said.get("expires_in")
        known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0
        return token, float(seconds) if known else _USUAL_SECONDS

    def _discover(self, server: FhirServer) -> str:
        url = f"{server.options.url}/.well-known/smart-configuration"
        answer = server.ask(
            "GET", url, headers={"Accept": "application/json"}, with_token=False, what="the SMART configuration"
        )
        found = answer.said.get("token_endpoint")
        if not isinstance(found, str):
            raise PullError(
                found=f"the server does not say where tokens are given (status {answer.status})",
                expected="token_endpoint in .well-known/smart-configuration",
                action="say auth: token_url in sources.yml",
            )
        return found

    def _assertion(self) -> str:
        import jwt

        auth, now = self._auth, int(time.time())
        claims = {
            "iss": auth.client_id, "sub": auth.client_id, "aud": self._url, "jti": uuid4().hex, "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }  # fmt: skip
        try:
            key, kid = _private_key(self._secret(auth.key_secret))
            headers = {"kid": auth.kid or kid} if auth.kid or kid else None
            return jwt.encode(claims, key, algorithm=auth.algorithm, headers=headers)
        except (ValueError, TypeError, jwt.PyJWTError) as cause:
            raise SettingsError(
                found=f"the secret {auth.key_secret} is no private key for {auth.algorithm} ({type(cause).__name__})",
                expected="a private key as PEM or JWK, RSA for RS384, P-384 for ES384",
                action="put the key whose public half the server knows into that file",
            ) from None


def _private_key(text: str):
    """The key of a PEM or JWK text, and the JWK's own id."""
    if not text.startswith("{"):
        return text, None
    import orjson
    from jwt import PyJWK

    return PyJWK.from_json(text).key, orjson.loads(text).get("kid")
