"""Finding a secret in whatever was produced: in plain text, as base64 or quoted for an address, in packed files too.

planted secrets ──► needles ─┐
folders ──► every file, unpacked ──► who holds a needle
"""

import base64
import gzip
import io
import json
import tarfile
import urllib.parse
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

DEEPEST = 4  # a zip in a zip in a tar …
PART = 16  # characters of a secret whose cut piece is a leak too


def needles(secret):
    """Return the forms in which the secret, or its longest word, would betray itself, as bytes."""
    words = {secret, *secret.split()}
    plain = {form.encode() for word in words for form in (word, urllib.parse.quote(word, safe=""), repr(word)[1:-1])}
    plain |= {json.dumps(word)[1:-1].encode() for word in words}
    plain |= {word.encode().hex().encode() for word in words}
    pieces = {max(words, key=len)[:PART].encode(), max(words, key=len)[-PART:].encode()}
    return plain | pieces | {form for word in words for form in _in_base64(word.encode())}


def _in_base64(word):
    """Yield what stays the same of ``base64(anything + word + anything)``, whatever stands around the word."""
    for before in range(3):
        padded = b"\0" * before + word
        kept = padded[: len(padded) - len(padded) % 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(kept)[4 if before else 0 :]


def leaks(folders, secrets, leave_out=()):
    """Return (file, name of the secret) for every secret in a file below ``folders``; ``secrets`` by name."""
    wanted = {name: needles(secret) for name, secret in secrets.items()}
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return [
        (str(path), name)
        for path in files
        if path.name not in leave_out
        for content in ("\n".join(path.parts).encode(), *unpacked(path.read_bytes()))
        for name, forms in wanted.items()
        if any(form in content for form in forms)
    ]


def unpacked(content, depth=0):
    """Yield the content, and all that is packed in it: gzip, zlib, zip, tar, Parquet."""
    yield content
    if depth < DEEPEST:
        for inner in _inside(content):
            yield from unpacked(inner, depth + 1)


def _inside(content):
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    elif content[:2] in (b"x\x01", b"x\x9c", b"x\xda"):
        try:
            yield zlib.decompress(content)
        except zlib.error:  # it only began like one
            return
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            yield from (packed.read(name) for name in packed.namelist())
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            yield from (packed.extractfile(one).read() for one in packed.getmembers() if one.isfile())
    elif content[:4] == b"PAR1" == content[-4:]:
        table = pq.read_table(pa.BufferReader(content))
        yield str(table.schema.metadata).encode() + b"\n" + "\n".join(map(str, table.to_pylist())).encode()
