"""A certificate authority of the tests' own, and certificates it signed."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificates(folder, *names):
    """Write ca.pem, server.pem and .key (for 127.0.0.1 and ``names``), client.pem and .key."""
    folder.mkdir(parents=True, exist_ok=True)
    authority_key, authority_name = ec.generate_private_key(ec.SECP256R1()), _named("almanac tests")
    authority = _signed(authority_name, authority_key, authority_name, authority_key, None)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    addresses = [x509.DNSName(name) for name in ("localhost", *names)]
    alternatives = x509.SubjectAlternativeName([*addresses, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    for who in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(_named(who), key, authority_name, authority_key, alternatives)
        (folder / f"{who}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / f"{who}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, plain))


def _named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _signed(subject, key, issuer, issuer_key, alternatives):
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=30))
    if alternatives is None:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    else:
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
