#!/usr/bin/env python3
"""Writes the vector files beside it.

A second implementation of the vault's formats, from their description alone (module documentation of crypto/, keyring.rs
and slot/), on Python's hashlib and the `cryptography` package. Nothing is random, so running it again changes nothing;
the Rust tests read the files and must agree. Run: python3 tests/vectors/make.py
"""

import hashlib
import hmac
import json
import pathlib
import struct
import zlib

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = pathlib.Path(__file__).parent


# --- primitives -------------------------------------------------------------------------------------------------------


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def expand(prk, info, length):
    out, block = b"", b""
    for counter in range(1, 255):
        if len(out) >= length:
            break
        block = mac(prk, block + info + bytes([counter]))
        out += block
    return out[:length]


def field(kind, value):
    return bytes([kind]) + struct.pack(">Q", len(value)) + value


def by(value):
    return field(1, value)


def st(value):
    return field(2, value.encode())


def u64(value):
    return b"\x03" + struct.pack(">Q", value)


def i64(value):
    return b"\x04" + struct.pack(">q", value)


def u8(value):
    return b"\x05" + bytes([value])


def derive(key, label, context):
    prk = mac(bytes(32), key)
    return expand(prk, b"tv1/derive/" + label.encode() + b"\0" + context, 32)


def message_keys(key, salt, purpose, aad):
    out = expand(mac(salt, key), b"tv1/" + purpose.encode() + hashlib.sha256(aad).digest(), 64)
    return out[:32], out[32:]


def wrap(key, purpose, aad, plaintext, salt):
    message_key, commitment = message_keys(key, salt, purpose, aad)
    return b"\x01" + salt + commitment + AESGCM(message_key).encrypt(bytes(12), plaintext, aad)


# --- HPKE base mode, RFC 9180 -----------------------------------------------------------------------------------------

KEM_SUITE = b"KEM" + struct.pack(">H", 0x20)


def labeled_extract(suite, salt, label, ikm):
    return mac(salt or bytes(32), b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite, prk, label, info, length):
    return expand(prk, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


def public_of(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def hpke_seal(public, info, aad, plaintext, ephemeral, aead=2, key_length=32):
    enc = public_of(ephemeral)
    shared = X25519PrivateKey.from_private_bytes(ephemeral).exchange(X25519PublicKey.from_public_bytes(public))
    prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", shared)
    secret = labeled_expand(KEM_SUITE, prk, b"shared_secret", enc + public, 32)
    suite = b"HPKE" + struct.pack(">HHH", 0x20, 1, aead)
    context = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"") + labeled_extract(suite, b"", b"info_hash", info)
    prk = labeled_extract(suite, secret, b"secret", b"")
    key = labeled_expand(suite, prk, b"key", context, key_length)
    nonce = labeled_expand(suite, prk, b"base_nonce", context, 12)
    return enc + AESGCM(key).encrypt(nonce, plaintext, aad)


def check_hpke_against_the_rfc():
    """RFC 9180, A.1.1: the same suite but for AES-128-GCM, which is what the RFC prints."""
    sealed = hpke_seal(
        bytes.fromhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d"),
        bytes.fromhex("4f6465206f6e2061204772656369616e2055726e"),
        b"Count-0",
        b"Beauty is truth, truth beauty",
        bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736"),
        aead=1,
        key_length=16,
    )
    assert sealed.hex() == (
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    )


# --- helpers ----------------------------------------------------------------------------------------------------------


def write(name, about, **lists):
    document = {"about": about, **lists}
    (HERE / name).write_text(json.dumps(document, indent=1, ensure_ascii=True) + "\n")


def case(name, outcome=None, **fields):
    """`outcome` is the expected error, as the Rust side spells it, or absent for success."""
    shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()}
    return {"name": name, **shown, **({"error": outcome} if outcome else {})}


def flip(data, at, bit=1):
    changed = bytearray(data)
    changed[at] ^= bit
    return bytes(changed)


# --- wrap.json --------------------------------------------------------------------------------------------------------

KEY = bytes(range(32))
SALT = bytes(range(100, 132))
AAD = st("token-version") + by(bytes([7] * 16)) + u64(42)


def wrap_cases():
    blob = wrap(KEY, "dek", AAD, b"plaintext", SALT)
    empty = wrap(KEY, "dek", AAD, b"", SALT)
    other_salt = wrap(KEY, "dek", AAD, b"plaintext", bytes(32))
    good = dict(key=KEY, purpose="dek", aad=AAD)

    def bad(name, outcome, blob, **changes):
        return case(name, outcome, **{**good, **changes}, blob=blob)

    return [
        case("a message", **good, blob=blob, plaintext=b"plaintext"),
        case("an empty message", **good, blob=empty, plaintext=b""),
        case("no aad", **{**good, "aad": b""}, blob=wrap(KEY, "dek", b"", b"x", SALT), plaintext=b"x"),
        case("a message of 4096 bytes", **good, blob=wrap(KEY, "dek", AAD, bytes([9] * 4096), SALT),
             plaintext=bytes([9] * 4096)),
        bad("nothing", "Truncated", b""),
        bad("format byte alone", "Truncated", blob[:1]),
        bad("cut inside the salt", "Truncated", blob[:20]),
        bad("cut after the salt", "Truncated", blob[:33]),
        bad("cut inside the commitment", "Truncated", blob[:50]),
        bad("cut after the commitment", "Truncated", blob[:65]),
        bad("one byte short of an empty message", "Truncated", blob[:80]),
        bad("cut in the ciphertext", "Damaged", blob[:85]),
        bad("last byte missing", "Damaged", blob[:-1]),
        bad("one byte more", "Damaged", blob + b"\0"),
        bad("format 0", "UnknownFormat(0)", b"\0" + blob[1:]),
        bad("format 2", "UnknownFormat(2)", b"\2" + blob[1:]),
        bad("format 255 and nothing else", "UnknownFormat(255)", b"\xff"),
        bad("first bit of the salt", "WrongKey", flip(blob, 1, 0x80)),
        bad("last bit of the salt", "WrongKey", flip(blob, 32)),
        bad("first bit of the commitment", "WrongKey", flip(blob, 33, 0x80)),
        bad("last bit of the commitment", "WrongKey", flip(blob, 64)),
        bad("first bit of the ciphertext", "Damaged", flip(blob, 65, 0x80)),
        bad("last bit of the ciphertext", "Damaged", flip(blob, 73)),
        bad("first bit of the tag", "Damaged", flip(blob, 74, 0x80)),
        bad("last bit of the tag", "Damaged", flip(blob, -1)),
        bad("tag of zeros", "Damaged", blob[:-16] + bytes(16)),
        bad("salt of another message", "WrongKey", blob[:1] + other_salt[1:33] + blob[33:]),
        bad("salt and commitment of another message", "Damaged", other_salt[:65] + blob[65:]),
        bad("another key", "WrongKey", blob, key=flip(KEY, 31)),
        bad("another purpose", "WrongKey", blob, purpose="value"),
        bad("empty purpose", "WrongKey", blob, purpose=""),
        bad("another row", "WrongKey", blob, aad=flip(AAD, -1)),
        bad("aad left out", "WrongKey", blob, aad=b""),
        bad("aad with one byte more", "WrongKey", blob, aad=AAD + b"\0"),
        bad("a key of 31 bytes", "KeyLength(31)", blob, key=KEY[:31]),
        bad("a key of 33 bytes", "KeyLength(33)", blob, key=KEY + b"\0"),
        bad("no key", "KeyLength(0)", blob, key=b""),
        bad("all zeros", "UnknownFormat(0)", bytes(81)),
        bad("zeros after a good format byte", "WrongKey", b"\1" + bytes(80)),
    ]


# --- hpke.json --------------------------------------------------------------------------------------------------------

PRIVATE = bytes(range(1, 33))
EPHEMERAL = bytes(range(50, 82))
PRIME = 2**255 - 19


def little_endian(number):
    return number.to_bytes(32, "little")


def hpke_cases():
    public = public_of(PRIVATE)
    sealed = hpke_seal(public, b"info", b"aad", b"a key-encryption key of 32 bytes", EPHEMERAL)
    good = dict(private=PRIVATE, info=b"info", aad=b"aad")

    def bad(name, outcome, sealed, **changes):
        return case(name, outcome, **{**good, **changes}, sealed=sealed)

    return [
        case("a message", **good, sealed=sealed, plaintext=b"a key-encryption key of 32 bytes"),
        case("an empty message", **good, sealed=hpke_seal(public, b"info", b"aad", b"", EPHEMERAL), plaintext=b""),
        bad("nothing", "Truncated", b""),
        bad("half an encapsulated key", "Truncated", sealed[:16]),
        bad("encapsulated key alone", "Truncated", sealed[:32]),
        bad("one byte short of an empty message", "Truncated", sealed[:47]),
        bad("last byte missing", "Damaged", sealed[:-1]),
        bad("one byte more", "Damaged", sealed + b"\0"),
        bad("first bit of the encapsulated key", "Damaged", flip(sealed, 0)),
        bad("unused top bit of the encapsulated key", "Damaged", flip(sealed, 31, 0x80)),
        bad("first bit of the ciphertext", "Damaged", flip(sealed, 32)),
        bad("last bit of the tag", "Damaged", flip(sealed, -1)),
        bad("encapsulated key zero", "Damaged", bytes(32) + sealed[32:]),
        bad("encapsulated key of small order", "Damaged", little_endian(1) + sealed[32:]),
        bad("another private key", "Damaged", sealed, private=flip(PRIVATE, 5)),
        bad("another info", "Damaged", sealed, info=b"other"),
        bad("another aad", "Damaged", sealed, aad=b"other"),
        bad("a private key of 31 bytes", "KeyLength(31)", sealed, private=PRIVATE[:31]),
    ]


def hpke_public_cases():
    # The points of small order of curve25519: X25519 with any of them gives zero.
    order8 = 325606250916557431795983626356110631294008115727848805560023387167927233504
    return [
        case("a public key", public=public_of(PRIVATE)),
        case("no key", "PublicKey", public=b""),
        case("31 bytes", "PublicKey", public=public_of(PRIVATE)[:31]),
        case("33 bytes", "PublicKey", public=public_of(PRIVATE) + b"\0"),
        case("zero, of order 4", "PublicKey", public=little_endian(0)),
        case("one, of order 1", "PublicKey", public=little_endian(1)),
        case("of order 8", "PublicKey", public=little_endian(order8)),
        case("minus one, of order 2", "PublicKey", public=little_endian(PRIME - 1)),
        case("the prime: zero, not canonical", "PublicKey", public=little_endian(PRIME)),
        case("nine, not canonical", "PublicKey", public=little_endian(PRIME + 9)),
        case("the unused top bit set", "PublicKey", public=flip(public_of(PRIVATE), 31, 0x80)),
    ]


# --- pad.json ---------------------------------------------------------------------------------------------------------


def pad_cases():
    def padded(length, value, total):
        return struct.pack(">I", length) + value + bytes(total - 4 - len(value))

    return [
        case("one byte", padded=padded(1, b"a", 64), value=b"a"),
        case("nothing", padded=bytes(64), value=b""),
        case("a full class", padded=padded(60, b"v" * 60, 64), value=b"v" * 60),
        case("one byte over a class", padded=padded(61, b"v" * 61, 128), value=b"v" * 61),
        case("value that ends in zeros", padded=padded(3, b"a\0\0", 64), value=b"a\0\0"),
        case("empty", "Padding", padded=b""),
        case("cut in the length", "Padding", padded=b"\0\0\0"),
        case("length alone", "Padding", padded=bytes(4)),
        case("not a class", "Padding", padded=padded(1, b"a", 65)),
        case("a class too large", "Padding", padded=padded(1, b"a", 128)),
        case("a class too small", "Padding", padded=padded(61, b"v" * 60, 64)),
        case("length over everything", "Padding", padded=b"\xff\xff\xff\xff" + bytes(60)),
        case("length over the limit by one", "Padding", padded=struct.pack(">I", 16777217) + bytes(60)),
        case("first padding byte set", "Padding", padded=padded(1, b"a\1", 64)),
        case("last padding byte set", "Padding", padded=padded(1, b"a", 64)[:-1] + b"\x80"),
    ]


PAD_CLASSES = [[0, 64], [60, 64], [61, 128], [124, 128], [125, 256], [2044, 2048], [4092, 4096], [4093, 4608],
               [4604, 4608], [4605, 5120], [8188, 8192], [8189, 9216], [65536, 73728], [16777216, 18874368]]


# --- names.json -------------------------------------------------------------------------------------------------------


def name_cases():
    def name(about, text, outcome=None):
        return case(about, outcome, text=text)

    return [
        name("a word", "github"),
        name("segments", "ci/deploy/key"),
        name("one character", "a"),
        name("255 bytes", "x" * 255),
        name("spaces and punctuation", " a b!\"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~"),
        name("dots within a segment", ".a/b./...x"),
        name("three dots", "..."),
        name("composed letters", "caf\u00e9/\u00fcber"),
        name("emoji joined by a zero-width joiner", "\U0001f468\u200d\U0001f469"),
        name("a private-use character", "\ue000"),
        name("a no-break space", "a\u00a0b"),
        name("empty", "", "empty"),
        name("256 bytes", "x" * 256, "256 bytes"),
        name("128 letters of two bytes", "\u00e9" * 128, "256 bytes"),
        name("a slash", "/", "empty segment"),
        name("leading slash", "/a", "empty segment"),
        name("trailing slash", "a/", "empty segment"),
        name("double slash", "a//b", "empty segment"),
        name("dot", ".", "'.'"),
        name("dot segment", "a/./b", "'.'"),
        name("dot-dot", "..", "'..'"),
        name("dot-dot at the end", "a/..", "'..'"),
        name("decomposed letter", "cafe\u0301", "NFC"),
        name("angstrom sign, a singleton", "\u212b", "NFC"),
        name("decomposed hangul", "\u1100\u1161", "NFC"),
        name("marks out of order", "a\u0315\u0300", "NFC"),
        name("zero byte", "a\u0000b", "U+0000 at byte 1"),
        name("newline", "a\nb", "U+000A"),
        name("tab", "a\tb", "U+0009"),
        name("escape sequence", "\u001b[31mred", "U+001B at byte 0"),
        name("delete", "a\u007f", "U+007F"),
        name("C1 control", "a\u0085", "U+0085"),
        name("unassigned", "a\u0378", "U+0378"),
        name("noncharacter", "a\uffff", "U+FFFF"),
        name("noncharacter of the last plane", "\U0010fffe", "U+10FFFE"),
        name("line separator", "a\u2028b", "U+2028"),
        name("paragraph separator", "a\u2029b", "U+2029"),
        name("right-to-left override", "a\u202egpj.exe", "U+202E"),
        name("isolate", "a\u2066b", "U+2066"),
        name("right-to-left mark", "a\u200f", "U+200F"),
    ]


# --- keys.json --------------------------------------------------------------------------------------------------------

VAULT = bytes([0xA0 + at for at in range(16)])
GENERATION = bytes([0x50 + at for at in range(16)])


def key_cases():
    index = derive(KEY, "principal-index", GENERATION)
    pair = struct.pack(">Q", 4) + b"host" + b"example.org"
    return {
        "key": KEY.hex(),
        "derived": derive(KEY, "label", b"context").hex(),
        "uid_1000": mac(KEY, b"tv1/tag/uid\0" + struct.pack(">I", 1000)).hex(),
        "generation": GENERATION.hex(),
        "principal_index": index.hex(),
        "name_ci_deploy": mac(index, b"tv1/tag/name\0ci/deploy").hex(),
        "attribute_host_example_org": mac(index, b"tv1/tag/attribute\0" + pair)[:16].hex(),
    }


VK = bytes([0xC0 + at for at in range(32)])
PURPOSES = ["integrity", "index", "tokens", "audit", "pepper", "users"]


def keyring_key(purpose):
    return hashlib.sha256(b"keyring of the vectors: " + purpose.encode()).digest()


def keyring_rows():
    def row(purpose):
        aad = st("keyring") + by(VAULT) + st(purpose) + u64(1)
        return {"purpose": purpose, "term": 1, "wrapped": wrap(VK, "keyring", aad, keyring_key(purpose), SALT).hex()}

    return [row(purpose) for purpose in PURPOSES]


# --- slots.json -------------------------------------------------------------------------------------------------------

PARAMS = "$argon2id$v=19$m=65536,t=3,p=1"
SECRET = bytes([0x11] * 32)


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    if number < 256:
        return bytes([major << 5 | 24, number])
    return bytes([major << 5 | 25]) + struct.pack(">H", number)


def cbor(value):
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(cbor(item) for item in value)
    return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def envelope(variant, fields, vault=VAULT):
    return cbor({0: vault, 1: [variant, fields]})


def slot(kind, body, kek, vk=VK, vault=VAULT):
    aad = st("slot") + by(vault) + st(kind) + by(body)
    kek_key = derive(keyring_key("integrity"), "slot-kek", vault)
    return dict(kind=kind, body=body, wrapped_vk=wrap(kek, "slot-vk", aad, vk, SALT),
                wrapped_kek=wrap(kek_key, "slot-kek", aad, kek, SALT))


def derived_slot(kind, variant, fields, **changes):
    return slot(kind, envelope(variant, fields), derive(SECRET, "slot/" + kind, VAULT), **changes)


RECOVERY_KEK = bytes([0x22] * 32)
RECOVERY_SEALED = hpke_seal(public_of(PRIVATE), b"tv1/slot/recovery", VAULT, RECOVERY_KEK, EPHEMERAL)
# The test's TPM "seals" by storing: its blob holds the secret in the field of the private part.
BLOB = {0: b"srk", 1: b"public", 2: SECRET, 3: b"policy", 4: []}

TPM2 = derived_slot("tpm2", 0, [BLOB])
RECOVERY = slot("recovery", envelope(1, [{0: public_of(PRIVATE), 1: RECOVERY_SEALED}]), RECOVERY_KEK)
PASSPHRASE = derived_slot("passphrase", 2, [{0: bytes(16), 1: PARAMS}])
HOST_KEY = derived_slot("host-key", 3, [])


def slot_cases():
    body = PASSPHRASE["body"]

    def changed(row, **changes):
        return {**row, **changes}

    def bad(name, outcome, row, secret=SECRET):
        return case(name, outcome, **row, secret=secret)

    weak = derived_slot("passphrase", 2, [{0: bytes(16), 1: "$argon2id$v=19$m=1024,t=1,p=1"}])
    foreign = slot("host-key", envelope(3, [], vault=bytes(16)), derive(SECRET, "slot/host-key", bytes(16)),
                   vault=bytes(16))
    later = derived_slot("passphrase", 2, [{0: bytes(16), 1: PARAMS, 9: "of a later release"}])
    other_sealed = hpke_seal(public_of(PRIVATE), b"tv1/slot/recovery", bytes(16), RECOVERY_KEK, EPHEMERAL)
    moved = slot("recovery", envelope(1, [{0: public_of(PRIVATE), 1: other_sealed}]), RECOVERY_KEK)
    return [
        case("tpm2", **TPM2, tpm=True),
        case("recovery", **RECOVERY, secret=PRIVATE),
        case("passphrase", **PASSPHRASE, secret=SECRET),
        case("host-key", **HOST_KEY, secret=SECRET),
        case("a passphrase with a field of a later release", **later, secret=SECRET),
        bad("wrong passphrase", "WrongSecret", PASSPHRASE, flip(SECRET, 0)),
        bad("wrong host key", "WrongSecret", HOST_KEY, flip(SECRET, 31)),
        bad("wrong recovery key", "WrongSecret", RECOVERY, flip(PRIVATE, 9)),
        bad("a short secret", "SecretLength(31)", PASSPHRASE, SECRET[:31]),
        bad("a short recovery key", "SecretLength(5)", RECOVERY, PRIVATE[:5]),
        bad("an empty secret", "SecretLength(0)", HOST_KEY, b""),
        bad("a key for the tpm2 slot", "SecretKind", TPM2),
        case("the TPM for a passphrase", "SecretKind", **PASSPHRASE, tpm=True),
        bad("another vault", "ForeignVault", foreign),
        bad("a kind nobody knows", "UnknownKind", changed(PASSPHRASE, kind="tpm3")),
        bad("an empty kind", "UnknownKind", changed(PASSPHRASE, kind="")),
        bad("the data of another kind", "Damaged", changed(PASSPHRASE, kind="host-key")),
        bad("no data", "Damaged", changed(PASSPHRASE, body=b"")),
        bad("data cut short", "Damaged", changed(PASSPHRASE, body=body[:-1])),
        bad("data followed by more", "Damaged", changed(PASSPHRASE, body=body + b"\0")),
        bad("data that is no map", "Damaged", changed(PASSPHRASE, body=cbor([1, 2]))),
        bad("data without the vault", "Damaged", changed(PASSPHRASE, body=cbor({1: [3, []]}))),
        bad("a vault id of 15 bytes", "Damaged", changed(HOST_KEY, body=cbor({0: VAULT[:15], 1: [3, []]}))),
        bad("a length that claims 4 GiB", "Damaged", changed(HOST_KEY, body=b"\xa2\x00\x5a\xff\xff\xff\xff")),
        bad("a kind number nobody knows", "Damaged", changed(HOST_KEY, body=cbor({0: VAULT, 1: [77, []]}))),
        bad("weak passphrase parameters", "Damaged", weak),
        bad("another salt in the data", "WrongSecret", changed(PASSPHRASE, body=body.replace(bytes(16), b"s" * 16))),
        bad("vault key wrapper cut off", "Damaged", changed(PASSPHRASE, wrapped_vk=PASSPHRASE["wrapped_vk"][:80])),
        bad("vault key wrapper missing", "Damaged", changed(PASSPHRASE, wrapped_vk=b"")),
        bad("vault key wrapper of format 9", "Damaged",
            changed(PASSPHRASE, wrapped_vk=b"\x09" + PASSPHRASE["wrapped_vk"][1:])),
        bad("tag of the vault key wrapper", "Damaged", changed(PASSPHRASE, wrapped_vk=flip(PASSPHRASE["wrapped_vk"], -1))),
        bad("a vault key of 16 bytes", "Damaged", derived_slot("host-key", 3, [], vk=VK[:16])),
        bad("wrapper of another slot", "WrongSecret", changed(PASSPHRASE, wrapped_vk=HOST_KEY["wrapped_vk"])),
        bad("recovery with the wrapper of another slot", "Damaged",
            changed(RECOVERY, wrapped_vk=HOST_KEY["wrapped_vk"]), PRIVATE),
        bad("recovery encrypted for another vault", "Damaged", moved, PRIVATE),
        case("tpm2 with the wrapper of another slot", "Damaged", **changed(TPM2, wrapped_vk=HOST_KEY["wrapped_vk"]),
             tpm=True),
    ]


def slot_table():
    rows = [{"id": at + 1, "created": 1000 + at, **row} for at, row in enumerate([TPM2, RECOVERY, PASSPHRASE])]
    encoded = st("slot-table") + by(VAULT) + u64(len(rows))
    for row in rows:
        encoded += u64(row["id"]) + st(row["kind"]) + by(row["body"]) + by(row["wrapped_vk"]) + by(row["wrapped_kek"])
        encoded += u64(row["created"])
    table_mac = mac(derive(keyring_key("integrity"), "slot-table", VAULT), encoded)
    shown = [{key: item.hex() if isinstance(item, bytes) else item for key, item in row.items()} for row in rows]
    return {"rows": shown, "mac": table_mac.hex()}


# --- issued.json ------------------------------------------------------------------------------------------------------

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(number, width):
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


def with_checksum(text):
    return text + base62(zlib.crc32(text.encode()), 6)


def issued_token(id, secret):
    number = lambda data: int.from_bytes(data, "big")
    return with_checksum("tvt_" + base62(number(id), 22) + "_" + base62(number(secret), 43))


def issued_cases():
    def good(name, id, secret):
        return case(name, token=issued_token(id, secret), id=id, secret=secret)

    def bad(name, token):
        return case(name, "None", token=token)

    id, secret = bytes(range(16)), bytes(range(100, 132))
    token = issued_token(id, secret)
    body = token[4:-6]
    return [
        good("counting bytes", id, secret),
        good("zeros", bytes(16), bytes(32)),
        good("ones", b"\xff" * 16, b"\xff" * 32),
        good("high bit of each", b"\x80" + bytes(15), b"\x80" + bytes(31)),
        bad("nothing", ""),
        bad("the prefix alone", "tvt_"),
        bad("cut off", token[:-1]),
        bad("one character more", token + "0"),
        bad("a line feed behind it", token + "\n"),
        bad("another checksum", token[:-1] + ("0" if token[-1] != "0" else "1")),
        bad("a checksum over 32 bits", token[:-6] + "zzzzzz"),
        bad("two digits exchanged", token[:10] + token[11] + token[10] + token[12:]),
        bad("another prefix", with_checksum("tvx_" + body)),
        bad("a prefix in capitals", with_checksum("TVT_" + body)),
        bad("an id over 128 bits", with_checksum("tvt_" + "z" * 22 + body[22:])),
        bad("a secret over 256 bits", with_checksum("tvt_" + body[:23] + "z" * 43)),
        bad("a digit that is none", with_checksum("tvt_" + body[:30] + "-" + body[31:])),
        bad("no separator", with_checksum("tvt_" + body[:22] + "0" + body[23:])),
        bad("a separator one place too early", with_checksum("tvt_" + body[:21] + "_" + body[21:22] + body[23:])),
    ]


def issued_tags():
    key, id, selector, secret = bytes(range(50, 82)), bytes(range(16)), "7F3K9Q", bytes(range(100, 132))
    tag = mac(key, b"tv1/issued/id\0" + id)
    return {
        "key": key.hex(),
        "id": id.hex(),
        "tag": tag.hex(),
        "secret": secret.hex(),
        "hash": mac(key, b"tv1/issued/secret\0" + tag + secret).hex(),
        "selector": selector,
        "offer": mac(key, b"tv1/issued/offer\0" + selector.encode()).hex(),
    }


# --- chunks.json ------------------------------------------------------------------------------------------------------

CHUNK_BYTES = 65536


def chunk_aad(content, number, last, vault):
    return st("chunk") + by(vault) + i64(content) + u64(number) + u8(last)


def chunk_blob():
    filled = b"the end".ljust(CHUNK_BYTES, b"\0")
    return wrap(KEY, "chunk", chunk_aad(7, 2, 1, VAULT), filled, SALT)


def chunk_cases():
    def chunk(name, outcome=None, content=7, number=2, last=True, vault=VAULT, length=7, **fields):
        return case(name, outcome, vault=vault, content=content, number=number, last=last, len=length, **fields)

    return [
        chunk("where it stands", plaintext=b"the end"),
        chunk("with a zero more, which is filling", plaintext=b"the end\0", length=8),
        chunk("cut before its end", "Padding", length=6),
        chunk("of another content", "WrongKey", content=8),
        chunk("under another number", "WrongKey", number=1),
        chunk("as one that is not the last", "WrongKey", last=False),
        chunk("in another vault", "WrongKey", vault=bytes(16)),
    ]


def main():
    check_hpke_against_the_rfc()
    write("wrap.json", "The wrap format; 'blob' opens to 'plaintext' or fails with 'error'.", cases=wrap_cases())
    write("hpke.json", "HPKE base mode; 'sealed' opens to 'plaintext' or fails with 'error'. 'public': keys to seal to.",
          cases=hpke_cases(), public=hpke_public_cases())
    write("pad.json", "Padding; 'classes' are pairs of value length and padded length.", cases=pad_cases(),
          classes=PAD_CLASSES)
    write("names.json", "Token names; 'error' is part of the refusal.", cases=name_cases())
    write("keys.json", "Derived keys, tags and a keyring.", tags=key_cases(), vault_id=VAULT.hex(), vk=VK.hex(),
          keyring=keyring_rows(), keys={purpose: keyring_key(purpose).hex() for purpose in PURPOSES})
    write("issued.json", "Issued tokens; 'token' is read as 'id' and 'secret', or as nothing. 'tags': what is kept of one.",
          cases=issued_cases(), tags=issued_tags())
    write("chunks.json", "A chunk of a long value; 'blob' opens to 'plaintext' or fails with 'error'.", key=KEY.hex(),
          blob=chunk_blob().hex(), cases=chunk_cases())
    write("slots.json", "Slots of the keyring in keys.json; each gives its vault key, or fails with 'error'.",
          vault_id=VAULT.hex(), vk=VK.hex(), cases=slot_cases(), table=slot_table())


if __name__ == "__main__":
    main()
