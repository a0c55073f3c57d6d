"""Sign-ins: a short-lived signed token for each request, and a cookie that renews it.

The token (JWT, HS256) says who and until when; what somebody may do is looked up, so that it can be taken away at once. Signing keys are made by the
program, are in the database, and replaced after ``HMS_SIGNING_KEY_DAYS``. The cookie holds 256 random bits of which a hash is stored; each use
replaces it, and one that is used again after that ends the sign-in: somebody has copied it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import jwt
from jwt.types import Options

from hybrid_ml_scheduler.core.errors import CredentialError, StorageUnavailableError
from hybrid_ml_scheduler.service.security.access import Access, SigningKey
from hybrid_ml_scheduler.service.security.keys import digest, same
from hybrid_ml_scheduler.service.security.passwords import PasswordChecker
from hybrid_ml_scheduler.service.security.principal import Principal
from hybrid_ml_scheduler.storage.access import AccessRepository
from hybrid_ml_scheduler.storage.schema import SessionRow

ALGORITHM = "HS256"
ISSUER = "hybrid-ml-scheduler"
AUDIENCE = "hybrid-ml-scheduler"
LONGEST_TOKEN = 2_000

_CLAIMS = ["exp", "iat", "sub", "sid", "iss", "aud"]
_AHEAD_S = 60.0
"""So far may the clock of another machine be ahead."""
_TWICE_S = 10.0
"""Two pages of one browser may renew at the same moment; later than that a cookie that was replaced is a copy."""
_SEPARATOR = "."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What signing in, or renewing that, gives.

    Attributes
    ----------
    principal : Principal
    token : str
        For the header ``Authorization: Bearer``.
    ttl_s : float
        How long it is good.
    cookie : str or None
        The new cookie; None: the one there is stays.
    cookie_s : float
        How long that is good.
    """

    principal: Principal
    token: str
    ttl_s: float
    cookie: str | None
    cookie_s: float


class Sessions:
    """Signs callers in and out.

    Parameters
    ----------
    access : Access
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self._passwords = PasswordChecker()

    # Tokens.

    def principal(self, token: str) -> Principal:
        """Return whose token this is.

        Raises
        ------
        CredentialError
        """
        if len(token) > LONGEST_TOKEN:
            raise CredentialError("this token is too long; expected one that signing in gave")
        try:
            key = self.access.verifying_key(str(jwt.get_unverified_header(token).get("kid", "")))
            if key is None:
                raise CredentialError("this token was signed with a key that is not known here; expected one that signing in gave")
            # The algorithm is ours, whatever the token says about itself. When it was made is looked at below.
            options: Options = {"require": _CLAIMS, "verify_iat": False}
            claims = jwt.decode(token, key.secret, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=options)
        except jwt.ExpiredSignatureError:
            raise CredentialError("this token has expired; expected a renewed one") from None
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise CredentialError("this token cannot be used; expected one that signing in gave") from None
        if float(claims["iat"]) > time.time() + _AHEAD_S:
            raise CredentialError("this token is from the future; expected one that signing in gave")
        found = self.access.subject(str(claims["sub"]), str(claims["sid"]))
        ends_s = float(claims["exp"])
        return replace(found, session=str(claims["sid"]), expires_s=ends_s if found.expires_s is None else min(ends_s, found.expires_s))

    async def _signing_key(self) -> SigningKey:
        key = await self._known_key()
        if key is None:
            raise StorageUnavailableError("there is no key to sign tokens with; expected the database to answer")
        return key

    async def _known_key(self) -> SigningKey | None:
        key = self.access.signing_key()
        if key is None:
            for _ in range(2):  # the first look makes one, the second takes it over
                await self.access.refresh(force=True)
            key = self.access.signing_key()
        return key

    async def _token(self, principal: Principal, session_id: str) -> str:
        key = await self._signing_key()
        now_s = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": principal.subject,
            "sid": session_id,
            "iat": now_s,
            "exp": now_s + max(1, int(self.access.settings.token_ttl_s)),
        }
        return jwt.encode(claims, key.secret, ALGORITHM, {"kid": key.id})

    # Signing in and out.

    async def with_password(self, name: str, password: str) -> Principal:
        """Return who this is.

        Raises
        ------
        CredentialError
        """
        stored = self.access.password_hash(name)
        if not await self._passwords.check(password, stored):
            raise CredentialError("name and password do not go together; expected those of a user (hms users create)")
        return self.access.subject(f"user:{name}", "")

    async def begin(self, principal: Principal) -> SignedIn:
        """Begin a sign-in.

        Raises
        ------
        StorageError
            If the database does not take it.
        """
        database = self.access.database
        now = datetime.now(UTC)
        session_id = secrets.token_hex(8)
        secret = _new_secret(session_id, await self._signing_key())
        ttl = timedelta(days=self.access.settings.session_ttl_days)
        row = SessionRow(
            id=session_id,
            subject=principal.subject,
            refresh_sha256=digest(secret),
            former_sha256=None,
            created_at=now,
            renewed_at=now,
            expires_at=now + ttl,
            ended_at=None,
        )
        async with database.write() as session:
            # Kept until tokens of it have ended, too.
            forget_before = now - timedelta(seconds=2 * self.access.settings.token_ttl_s + 60)
            await AccessRepository(session, database.dialect).add_session(row, forget_before=forget_before)
        return await self._signed_in(principal, session_id, f"{session_id}{_SEPARATOR}{secret}")

    async def renew(self, cookie: str) -> SignedIn:
        """Renew a sign-in.

        Raises
        ------
        CredentialError, StorageError
        """
        database = self.access.database
        session_id, secret = _split(cookie)
        reused = False
        key = await self._known_key()
        if key is None:
            raise CredentialError("this sign-in is not known here, where nobody has ever signed in; expected a new one")
        next_secret: str | None = _new_secret(session_id, key)
        async with database.write() as session:
            repository = AccessRepository(session, database.dialect)
            row = await repository.session_for_change(session_id)
            now = datetime.now(UTC)
            if row is None or row.ended_at is not None or row.expires_at <= now:
                raise CredentialError("this sign-in has ended; expected a new one")
            if same(secret, row.refresh_sha256):
                row.former_sha256, row.refresh_sha256 = row.refresh_sha256, digest(str(next_secret))
                row.renewed_at, row.expires_at = now, now + timedelta(days=self.access.settings.session_ttl_days)
            elif row.former_sha256 is not None and same(secret, row.former_sha256) and (now - row.renewed_at).total_seconds() <= _TWICE_S:
                next_secret = None
            elif self._was_ours(session_id, secret):
                # However old it is: whoever copied a cookie and renewed it twice would otherwise stay, and its owner only be sent away.
                reused = True
                await repository.end_session(row)
            else:
                raise CredentialError("this sign-in is not known here; expected a new one")
            subject = row.subject
        if reused:
            await self.access.refresh(force=True)
            raise CredentialError("this sign-in was renewed already and has been ended, somebody may have copied it; expected a new one")
        principal = self.access.subject(subject, session_id)
        return await self._signed_in(principal, session_id, None if next_secret is None else f"{session_id}{_SEPARATOR}{next_secret}")

    async def end(self, cookie: str) -> bool:
        """End a sign-in; return whether there was one.

        Raises
        ------
        StorageError
        """
        database = self.access.database
        try:
            session_id, secret = _split(cookie)
        except CredentialError:
            return False
        async with database.write() as session:
            repository = AccessRepository(session, database.dialect)
            row = await repository.session_for_change(session_id)
            if row is None or row.ended_at is not None or not any(same(secret, each) for each in (row.refresh_sha256, row.former_sha256 or "")):
                return False
            await repository.end_session(row)
        await self.access.refresh(force=True)
        return True

    def _was_ours(self, session_id: str, secret: str) -> bool:
        """Whether a secret was ever one of this sign-in: nobody who only knows the identifier shall be able to end it."""
        random, _, rest = secret.partition(_SEPARATOR)
        key_id, _, tag = rest.partition(_SEPARATOR)
        key = self.access.verifying_key(key_id)
        return key is not None and hmac.compare_digest(_tag(session_id, random, key).encode(), tag.encode())

    async def _signed_in(self, principal: Principal, session_id: str, cookie: str | None) -> SignedIn:
        token = await self._token(principal, session_id)
        settings = self.access.settings
        return SignedIn(principal, token, max(1, int(settings.token_ttl_s)), cookie, settings.session_ttl_days * 86_400)


def _new_secret(session_id: str, key: SigningKey) -> str:
    random = secrets.token_urlsafe(32)
    return _SEPARATOR.join((random, key.id, _tag(session_id, random, key)))


def _tag(session_id: str, random: str, key: SigningKey) -> str:
    """Return what shows that a secret was made here. It begins as no token does, so that neither can be taken for the other."""
    return hmac.new(key.secret, f"refresh:{session_id}:{random}".encode(), "sha256").hexdigest()


def _split(cookie: str) -> tuple[str, str]:
    session_id, separator, secret = cookie.partition(_SEPARATOR)
    if not separator or len(cookie) > LONGEST_TOKEN:
        raise CredentialError("there is no sign-in to renew; expected the cookie of one")
    return session_id, secret
