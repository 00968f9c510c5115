"""Makes a certificate authority and the certificates of scheduler, workers and clients.

``python -m infra.dask.certificates FOLDER [DAYS]``. Dask's connections need one from both sides: whoever has no
certificate of this authority can neither join nor ask. Keep ``ca.key`` away from the hosts; to rotate, run it again
into a new folder.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROLES = ("scheduler", "worker", "client")
_EARLIER = timedelta(hours=1)
"""Clocks of hosts differ a little."""


def make_certificates(folder: Path, *, days: int = 365, now: datetime | None = None) -> None:
    """Write ``ca.pem``, ``ca.key`` and for each role ``<role>.pem``: certificate and key; only the owner reads them.

    Args:
        folder: is made where it is not there.
        days: that the certificates are good for.
        now: instant they begin at.
    """
    begin = now or datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = (
        _builder("tsubame-dask-ca", "tsubame-dask-ca", authority_key, begin, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write_private(folder / "ca.pem", authority.public_bytes(serialization.Encoding.PEM))
    _write_private(folder / "ca.key", _private(authority_key))
    for role in ROLES:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(role, "tsubame-dask-ca", key, begin, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        content = certificate.public_bytes(serialization.Encoding.PEM) + _private(key)
        _write_private(folder / f"{role}.pem", content)


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, begin: datetime, days: int
) -> x509.CertificateBuilder:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _EARLIER)
        .not_valid_after(begin + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        raise SystemExit(__doc__)
    make_certificates(Path(sys.argv[1]), days=int(sys.argv[2]) if len(sys.argv) == 3 else 365)
