"""A certificate for servers on this machine."""

import ssl
import subprocess
from pathlib import Path


def make(folder: Path, name: str = "localhost") -> Path:
    """Make a certificate for a name and 127.0.0.1; return its file."""
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = f"subjectAltName=DNS:{name},IP:127.0.0.1"
    make += ["-subj", f"/CN={name}", "-addext", names]
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run([*make, *files], check=True, capture_output=True)
    return folder / "cert.pem"


def server_tls(certificate: Path) -> ssl.SSLContext:
    """The TLS of a server that has a certificate of `make`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context
