"""Hashes of other libraries are known again; garbage is not, at no other cost.

The hashes were made by the libraries named, of this password unless it says otherwise.
"""

from __future__ import annotations

import sys
import time
import unicodedata
from unittest import mock

import pytest
from argon2 import Type
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dibs.accounts.passwords import algorithms, formats, older
from dibs.accounts.passwords.algorithms import (
    Argon2,
    Argon2Hash,
    BcryptHash,
    Pbkdf2Hash,
    ScryptHash,
    StoredHash,
)
from dibs.accounts.passwords.formats import parse
from dibs.accounts.passwords.hashing import LONGEST, Verdict, Verifier, make
from dibs.accounts.passwords.older import Keys, PhpassHash, SaltedSha, Sha512Crypt
from dibs.errors import Overloaded

PASSWORD = "correct horse caf\u00e9"
DECOMPOSED = unicodedata.normalize("NFD", PASSWORD)
QUICK = Argon2(memory_kib=8, passes=1)
VERIFIER = Verifier(QUICK)

HASHES = {
    "argon2-cffi 25.1.0, argon2id": "$argon2id$v=19$m=1024,t=2,p=1"
    "$KRG6ULQiEd+TvCYXnTUT9g$y/qCDJOfvHkXHEgvM6CildaOW4EBgxIhX2M2ASffpdE",
    "argon2-cffi 25.1.0, argon2i": "$argon2i$v=19$m=1024,t=2,p=1"
    "$EN76vNUvNyPXliEsYURtHw$KssW/Q3uEpHL+KOzU09XkN4GQG9fUwSUn+nLWgzHA7c",
    "argon2-cffi 25.1.0, argon2d": "$argon2d$v=19$m=1024,t=2,p=1"
    "$/LKxOxuFfJ7bnpJWZFf5RQ$PF8eEXDPIZotN8QYDB6PBjW+BDI2RXNvaDH42gPdKfs",
    "argon2-cffi 25.1.0, two lanes, 8 bytes of salt, 16 of digest": "$argon2id$v=19$m=512,t=3,p=2"
    "$KUV8otXgGG8$nKZQVDRCGIJPFXkSQTdGZQ",
    "argon2-cffi 25.1.0, argon2 1.0": "$argon2i$v=16$m=512,t=2,p=1"
    "$c29tZXNhbHRzb21lc2FsdA$HdQtKQC33oNz4n7q6yErFOlm+k9w6xw74fll2M/CvzE",
    "the same without its version": "$argon2i$m=512,t=2,p=1"
    "$c29tZXNhbHRzb21lc2FsdA$HdQtKQC33oNz4n7q6yErFOlm+k9w6xw74fll2M/CvzE",
    "passlib 1.7.4, pbkdf2_sha256": "$pbkdf2-sha256$1000"
    "$U2qNEUKI8d57T0nJ.b.Xkg$5lMtF7.1vNcmY8t7h2JZSVm9zAGzSCncmAtGIE8gbCw",
    "passlib 1.7.4, pbkdf2_sha512": "$pbkdf2-sha512$1000"
    "$.R/jvPd.r9U6ZyyllPKe8w$O/HlOt9FQVAAniJEmpdi.6gsYV/Cub4bacQEAbFCQFDkvk9suY.FdnxmFjtX4BMRkz"
    "U4IupOybdJ/vFMhikVsw",
    "passlib 1.7.4, pbkdf2_sha1": "$pbkdf2$1000$VWqtVapVSukdI6RUSul9jw$TvCRUYXsuWN7W7C3TbyNR3b2Bwk",
    "passlib 1.7.4, scrypt": "$scrypt$ln=10,r=8,p=1"
    "$nvM+R2htbU0JodS6V0qpFQ$3nV7ju3unMoBq6CQl7iZqTzRKm+OABxUXzSAd0wBBQA",
    "passlib 1.7.4, argon2": "$argon2id$v=19$m=512,t=2,p=1"
    "$wxjj/P8/pzSmdO59D4FQ6g$b3HW3JbfiCNFrLvDTAorn742MCsJ+WAaTD1fU/ctb3E",
    "bcrypt 4.0.1, 2a": "$2a$04$z2ynzWlQoClWs.K9tWTbvuwz1ZD.6AHuw1znRWT7H3aKem6CEBJmS",
    "bcrypt 4.0.1, 2b": "$2b$04$DRgnXlc.6NBJdQzS5Hxs8OzfykTihwGB0ckRU3bl8Sl0.NaCb2A1O",
    "passlib 1.7.4, bcrypt 2y": "$2y$04$DoNXanrIEV/9fCM/t5Leuuc76c/dcWsvA9GRMQ0sdG2uElN8dq2LC",
    "Werkzeug 3.1.9, scrypt": "scrypt:1024:8:1$oJlun8qH8eo71idb"
    "$5e320dbb2034756706ef57eea4f3474de98a3a4574cb2346c2669bd755febf31c"
    "6263aeaca5cb8c65af0aeb303efd12a42e544e793a28cb98f132e4452b5a742",
    "Werkzeug 3.1.9, scrypt, default": "scrypt:32768:8:1$oz0qE0ImUOwI2RmN"
    "$0f3ded4012e402fe0d1980b19d4dba18736d41d6ba3f009354c72b39c022aaf88"
    "cd050af5a56eedd34125607ae5e3158faa3d1cee0be31dd14e1d0d4f3dbb29c",
    "the same without its numbers": "scrypt$oz0qE0ImUOwI2RmN"
    "$0f3ded4012e402fe0d1980b19d4dba18736d41d6ba3f009354c72b39c022aaf88"
    "cd050af5a56eedd34125607ae5e3158faa3d1cee0be31dd14e1d0d4f3dbb29c",
    "Werkzeug 3.1.9, pbkdf2:sha256": "pbkdf2:sha256:1000$sl5HiCKPFAfdHkdx"
    "$4cf35b06282d67dc262425e4cfcf6741472832b1ba52f703bb8ff0328fc830e5",
    "Werkzeug 3.1.9, pbkdf2:sha512": "pbkdf2:sha512:1000$81SJJywDXQTibAKZ"
    "$9c0172d998aa2e9c5ad59493f6b7076e17b6908194cb82a3a0564eeed4405157d"
    "0633d6b74ab7dcebbcd09f89eb1ec9ef17240dde0dffc64197a4ac40c250a41",
    "Werkzeug 3.1.9, pbkdf2:sha1": "pbkdf2:sha1:1000$i5nDv78B2YcrUHwy"
    "$8db6e1a42aa0e44646829953f46bbcd49311f0f9",
    "Werkzeug 3.1.9, pbkdf2, default": "pbkdf2:sha256:1000000$Pt4bLuBl0nxd4vKJ"
    "$433712396d1f5eb17f6ee99f0cefce39ef3ff3ce5fe3a2c2b0aea3f12dc8297b",
    "the same without its rounds": "pbkdf2:sha256$Pt4bLuBl0nxd4vKJ"
    "$433712396d1f5eb17f6ee99f0cefce39ef3ff3ce5fe3a2c2b0aea3f12dc8297b",
    "the same without anything": "pbkdf2$Pt4bLuBl0nxd4vKJ"
    "$433712396d1f5eb17f6ee99f0cefce39ef3ff3ce5fe3a2c2b0aea3f12dc8297b",
    "Django 5.2, pbkdf2_sha256": "pbkdf2_sha256$1000$uf4N6yuQisxwpROMt2Jgch"
    "$57KNFVj5PaPKbCPSRYHfhZ3OMb7JIhATbAHWQSBBqH4=",
    "Django 5.2, pbkdf2_sha1": "pbkdf2_sha1$1000$Z8vLKJD02nrW1nkM3iucfk"
    "$t7vMST3Q7Nj/nzFUNRrQJCtbpC4=",
    "Django 5.2, argon2": "argon2$argon2id$v=19$m=512,t=2,p=1"
    "$dHo5VmNieXZUaXNqMVNEaWVLSmx1bg$uo/XSafgH7Lx3T4KfafV6t11ONXVlKoWBY+/ukfYrGw",
    "Django 5.2, bcrypt_sha256": "bcrypt_sha256"
    "$$2b$04$CYyW.UT.9/R16MKq16y9T.HHg/uhNttcPtLHNMrAqW6ZIaWn3O9uy",
    "Django 5.2, bcrypt": "bcrypt$$2b$04$mln85P.ctVnLcSAnj01bce6fyLv./yclAR4MvoI1/H3I0HryppPsm",
    "Django 5.2, scrypt": "scrypt$1024$9VOx5IIBP9u5swIoIRrAQl$8$1"
    "$5TokqnZIyUWT/tqoLl8TStiUX9qfPboSTgB441NxGmJ5985VSCVm4aHfz7b1H3e6VuWx20ojauFdmB1XJUxvrQ==",
    "libpass 1.9.4, bcrypt_sha256": "$bcrypt-sha256$v=2,t=2b,r=4"
    "$vvru1wkAuJUbAeJ1KKqBsu$zRPEGP9fZO/mH.JG7xRyI8TLRsQf0Am",
    "libpass 1.9.4, bcrypt_sha256, version 1": "$bcrypt-sha256$2b,4"
    "$k1TyYPs1DXHa3klPwqCk9.$AL5WNs2CyUnHg513CasFBXP2Eyfhviy",
    "libpass 1.9.4, sha512_crypt": "$6$rounds=1000$.lQ51AlPMXKtFN2L"
    "$YUZ6pI/KzxZCAgQ9n.2M3MKhbxzOoExhpLZ1rLtivAgFGQuT/Mkt3z8ZHpD0nL9F/L37PzRhxMP/MkpvY6h7k0",
    "libpass 1.9.4, sha512_crypt, 5000 rounds": "$6$yYFrKF95JVarSSDJ"
    "$Tdb7evsns4KKfr7s50dnCzWWzCpTwIblzXMewn9V.7HcygwaSAtRUzJP.74CXXxofykxugOUXmyEFqHIG1H1i/",
    "libpass 1.9.4, phpass": "$P$5Lk5REu8V/QXqBbLz1xFsNIF2Hl2.C.",
    "libpass 1.9.4, phpass of phpBB": "$H$5gA1qy0RYoQLAczBn7IO6U4V2ytCMN0",
    "libpass 1.9.4, ldap_salted_sha1": "{SSHA}C4TF4qHuPhbc0M7hGq4IU4zqrboXAuBc",
    "libpass 1.9.4, ldap_salted_sha256": "{SSHA256}"
    "kl6+mnZsW8g93wNN5baspONEpRKapYR0sMNXIM4g9y39n9OaE4LQ+g==",
    "libpass 1.9.4, ldap_salted_sha512": "{SSHA512}"
    "gwJLsNUvP/h2FjKak9kUizaAHt2WVViToAGkggExcw/WwrZPA66ajyxNAw6XWfL9ybV80PMUtVFUcHmr0WMOgzQm5BzjnJMS",
}  # fmt: skip
each = pytest.mark.parametrize("stored", HASHES.values(), ids=HASHES.keys())

# Made of the decomposed spelling, by an app that normalises nothing; Werkzeug 3.1.9.
OF_DECOMPOSED = (
    "pbkdf2:sha256:1000$rlmU1adczNPkChKA"
    "$4f63a26861c30882e3bfe402af9664fa07a18714bfdefc4d7717700990609f1d"
)
# Of 72 and of 80 times `x`; bcrypt 4.0.1.
OF_72 = "$2b$04$Nzlq29TdVYq.X0rc4CDM4uYZc.LSlzckW7i3EGi4hCtHs/3r2J46."
OF_80 = "$2b$04$gIyGS8Z6bO.xlE1jFpJGaeHoO3bZhte2Wu1W5/X.ClFrycXDZ0S7e"

GARBAGE = [
    "", "$", "$$$$$", "x", "!", "plain", "\ud800", "é", "\0", "$argon2id$", "$2b$04$",
    "!" + "$2b$04$DRgnXlc.6NBJdQzS5Hxs8OzfykTihwGB0ckRU3bl8Sl0.NaCb2A1O",
    "$argon2id$v=19$m=1024,t=2,p=1$KRG6ULQiEd+TvCYXnTUT9g$",
    "$argon2id$v=18$m=1024,t=2,p=1$KRG6ULQiEd+TvCYXnTUT9g$y/qCDJOfvHkXHEgvM6CildaOW4EBgxIhX2M2ASf",
    "$argon2id$v=19$m=7,t=2,p=1$KRG6ULQiEd+TvCYXnTUT9g$y/qCDJOfvHkXHEgvM6CildaOW4EBgxIhX2M2ASffpdE",
    "$argon2id$v=19$m=1024,t=0,p=1$KRG6ULQiEd+TvCYXnTUT9g$y/qCDJOfvHkXHEgvM6CildaOW4EBgxIhX2M2ASffpdE",
    "$argon2id$v=19$m=1024,t=2,p=1$KRG6$y/qCDJOfvHkXHEgvM6CildaOW4EBgxIhX2M2ASffpdE",
    "$argon2id$v=19$m=1024,t=2,p=1$KRG6ULQiEd+TvCYXnTUT9$y/qCDJOfvHkXHEgvM6CildaOW4EBgxIhX2M2ASffpdE",
    "$argon2id$v=19$m=1024,t=2,p=1$KRG6ULQiEd+TvCYXnTUT9g$y/qC",
    "$pbkdf2-sha256$1000$U2qNEUKI8d57T0nJ.b.Xkg$5lMtF7",
    "$pbkdf2-md5$1000$U2qNEUKI8d57T0nJ.b.Xkg$5lMtF7.1vNcmY8t7h2JZSVm9zAGzSCncmAtGIE8gbCw",
    "pbkdf2:md5:1000$salt$d41d8cd98f00b204e9800998ecf8427e", "pbkdf2:sha256:1000$salt$abc",
    "scrypt:1000:8:1$salt$" + "0" * 128, "scrypt:1:8:1$salt$" + "0" * 128,
    "scrypt:65536:1:1$salt$" + "0" * 128, "scrypt:1024:8:1$sa\ud800lt$" + "0" * 128,
    "$2x$04$DRgnXlc.6NBJdQzS5Hxs8OzfykTihwGB0ckRU3bl8Sl0.NaCb2A1O",
    "$2b$03$DRgnXlc.6NBJdQzS5Hxs8OzfykTihwGB0ckRU3bl8Sl0.NaCb2A1O",
    "$2b$04$DRgnXlc.6NBJdQzS5Hxs8/zfykTihwGB0ckRU3bl8Sl0.NaCb2A1O",
    "sha256$salt$" + "0" * 64, "md5$salt$" + "0" * 32, "5f4dcc3b5aa765d61d8327deb882cf99",
]  # fmt: skip

TOO_DEAR = {
    "4 GiB": "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "a billion passes": "$argon2id$v=19$m=1024,t=1000000000,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "five passes of 256 MiB": "$argon2id$v=19$m=262144,t=5,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "a thousand lanes": "$argon2id$v=19$m=19456,t=2,p=1000$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "a billion rounds": "pbkdf2:sha256:1000000000$salt$" + "0" * 64,
    "more rounds than digits are read": "pbkdf2:sha256:" + "9" * 900 + "$salt$" + "0" * 64,
    "five million rounds and one": "pbkdf2_sha256$5000001$salt$" + "A" * 43 + "=",
    "scrypt, n = 2^30": "scrypt:1073741824:8:1$salt$" + "0" * 128,
    "scrypt, n = 2^99": "$scrypt$ln=99,r=8,p=1$c29tZXNhbHQ$" + "A" * 43,
    "scrypt, a thousand times": "scrypt$32768$salt$8$1000$" + "A" * 86 + "==",
    "a million rounds and one of crypt": "$6$rounds=1000001$salt$" + "A" * 86,
    "phpass, 2^30": "$P$SLk5REu8V/QXqBbLz1xFsNIF2Hl2.C.",
    "bcrypt, cost 31": "$2b$31$DRgnXlc.6NBJdQzS5Hxs8OzfykTihwGB0ckRU3bl8Sl0.NaCb2A1O",
    "10 MB of salt": "pbkdf2:sha256:1000$" + "s" * 10_000_000 + "$" + "0" * 64,
    "10 MB of salt, encoded": "$argon2id$v=19$m=8,t=1,p=1$" + "A" * 10_000_000 + "$" + "A" * 43,
}


def check(password: str, stored: str | None) -> Verdict:
    """The verdict, where today's parameters are the least there are."""
    return VERIFIER.check(password, stored)


@each
def test_of_other_libraries(stored):
    """Known, and to be replaced."""
    assert check(PASSWORD, stored) == Verdict(ok=True, needs_rehash=True)


@each
def test_typed_on_another_keyboard(stored):
    assert check(DECOMPOSED, stored).ok


@each
def test_another_password(stored):
    for other in (PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], ""):
        if "1000000" not in stored and "$Pt4b" not in stored:
            assert check(other, stored) == Verdict(ok=False)


def test_as_today():
    """Nothing to replace; with other parameters there is."""
    assert check(PASSWORD, make(PASSWORD, QUICK)) == Verdict(ok=True)
    dearer = make(PASSWORD, Argon2(memory_kib=16, passes=1))
    assert check(PASSWORD, dearer) == Verdict(ok=True, needs_rehash=True)


@pytest.mark.parametrize(
    "change", [lambda s: "argon2" + s, lambda s: s.replace("argon2id", "argon2i")]
)
def test_nearly_as_today(change):
    """Django's prefix, or argon2i, with today's parameters."""
    stored = change(make(PASSWORD, QUICK))
    found = parse(stored)
    assert isinstance(found, Argon2Hash)
    if found.kind is Type.I:
        assert not found.is_as_today(QUICK)
    else:
        assert check(PASSWORD, stored) == Verdict(ok=True, needs_rehash=True)


def test_as_typed_for_an_app_that_normalised_nothing():
    """The raw form is tried where it differs, and replaced by the composed one."""
    assert check(DECOMPOSED, OF_DECOMPOSED) == Verdict(ok=True, needs_rehash=True)
    assert not check(PASSWORD, OF_DECOMPOSED).ok


def test_a_raw_form_under_todays_parameters_is_replaced():
    with mock.patch("unicodedata.normalize", side_effect=lambda _, text: text):
        raw = make(DECOMPOSED, QUICK)
    assert not check(PASSWORD, raw).ok
    assert check(DECOMPOSED, raw) == Verdict(ok=True, needs_rehash=True)


@pytest.mark.parametrize(
    ("typed", "stored", "ok"),
    [
        ("x" * 72, OF_72, True),
        ("x" * 73, OF_72, True),
        ("x" * 71, OF_72, False),
        ("x" * 80, OF_80, True),
        ("x" * 72 + "y" * 8, OF_80, True),
        ("x" * 71 + "y" * 9, OF_80, False),
        ("x" * 72 + "\0", OF_72, False),
        ("\0", OF_72, False),
    ],
)
def test_bcrypt_reads_72_bytes(typed, stored, ok):
    """As every library did that made such hashes; and no zero byte."""
    assert check(typed, stored) == Verdict(ok, needs_rehash=ok)


# From Ulrich Drepper's SHA-crypt.txt, and made by libxcrypt 4.4.
CRYPT = {
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJ"
    "uesI68u4OTLiBFdcbYEdFCoEOfaS35inz1": "Hello world!",
    "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sb"
    "HbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.": "Hello world!",
    "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQ"
    "zQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0": "This is just a test",
    "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPv"
    "MxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1": "a very much longer text to encrypt.  "
    "This one even stretches over morethan one line.",
}


@pytest.mark.parametrize("stored", CRYPT)
def test_vectors_of_crypt(stored):
    assert check(CRYPT[stored], stored).ok
    assert not check(CRYPT[stored] + "x", stored).ok


def test_long_passwords_of_crypt():
    """What would take long is nobody's."""
    stored = HASHES["libpass 1.9.4, sha512_crypt"]
    assert check("x" * 4096, stored) == Verdict(ok=False)


# By Flask-Security 5.9.2, with this SECURITY_PASSWORD_SALT.
SALT = b"146585145368132386173505678016728509634"
KEYED = {
    "bcrypt": "$2b$04$EsurUEaNXnUrHdUqkJF9G.f35.85QOZJweWKy4yfY6Q7ZdZwnPvGC",
    "pbkdf2_sha512": "$pbkdf2-sha512$1000$k9IaYywlBKBUCmGMkVLK.Q"
    "$qmA8lSvtFk2hfByQzUh/.sEtWXnmJQhb/fkzSghA0E34VNwx1DkBHIKPsCAY1CimEifoZSHn70gUEUNngRZ.3Q",
}


@pytest.mark.parametrize("scheme", KEYED)
def test_of_flask_security(scheme):
    """They need the app's salt beside themselves."""
    stored = formats.FLASK_SECURITY + KEYED[scheme]
    verifier = Verifier(QUICK, Keys(flask_security=SALT))
    assert verifier.check(PASSWORD, stored) == Verdict(ok=True, needs_rehash=True)
    assert not verifier.check(PASSWORD + "x", stored).ok
    assert not verifier.check(PASSWORD, KEYED[scheme]).ok


def test_without_the_salt_of_flask_security(caplog):
    assert not check(PASSWORD, formats.FLASK_SECURITY + KEYED["bcrypt"]).ok
    assert "DIBS_FLASK_SECURITY_SALT" in caplog.text


def test_hashes_that_only_their_owner_knows():
    """A function of one's own is asked of what dibs cannot read, and of nothing else."""
    asked = []

    def reverse(stored: str, password: str) -> bool:
        asked.append(stored)
        return stored == "mine:" + password[::-1]

    verifier = Verifier(QUICK, Keys(check=reverse))
    stored = "mine:" + PASSWORD[::-1]
    assert verifier.check(PASSWORD, stored) == Verdict(ok=True, needs_rehash=True)
    assert not verifier.check(PASSWORD + "x", stored).ok
    assert verifier.check(PASSWORD, HASHES["Django 5.2, bcrypt"]).ok
    assert set(asked) == {stored}


def test_without_bcrypt(caplog):
    """No error: the user cannot log in, and the log says what is missing."""
    stored = HASHES["bcrypt 4.0.1, 2b"]
    with mock.patch.dict(sys.modules, {"bcrypt": None}):
        assert check(PASSWORD, stored) == Verdict(ok=False)
    assert "pip install bcrypt" in caplog.text
    assert check(PASSWORD, stored).ok


@pytest.mark.parametrize("stored", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage(stored):
    assert parse(stored) is None
    assert check(PASSWORD, stored) == Verdict(ok=False)


@pytest.mark.parametrize("stored", TOO_DEAR.values(), ids=TOO_DEAR.keys())
def test_too_dear(stored):
    """Refused within 50 ms of CPU, uncomputed."""
    check(PASSWORD, None)
    began = time.process_time()
    assert check(PASSWORD, stored) == Verdict(ok=False)
    assert time.process_time() - began < 0.05


@pytest.mark.parametrize(
    "typed", ["x" * (LONGEST + 1), "\ud800", "x" * 10_000_000], ids=["long", "no text", "10 MB"]
)
def test_nobodys_password(typed):
    assert check(typed, make(PASSWORD, QUICK)) == Verdict(ok=False)
    assert check(typed, None) == Verdict(ok=False)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_hashed_is_verified(password):
    stored = make(password, QUICK)
    assert check(password, stored).ok
    assert not check(password + "x", stored).ok
    for form in ("NFC", "NFD"):
        assert check(unicodedata.normalize(form, password), stored).ok


@given(st.text(), st.text())
@example("x", "$" * 1024)
@example("x", "pbkdf2" + "$" * 1000)
def test_any_text_as_a_hash(password, stored):
    assert check(password, stored) == Verdict(ok=False)


@given(st.sampled_from(sorted(HASHES.values())), st.integers(0, 60), st.text(max_size=3))
def test_a_hash_that_was_damaged(stored, at, written):
    """Whatever is written over it, it is judged, and what is computed is within bounds."""
    damaged = stored[:at] + written + stored[at + len(written) :]
    match parse(damaged):
        case Argon2Hash(cost=cost):
            assert cost.memory_kib * cost.passes <= algorithms.MAX_ARGON2_WORK
        case Pbkdf2Hash(rounds=rounds):
            assert rounds <= algorithms.MAX_ROUNDS
        case ScryptHash(n=n, r=r, p=p):
            assert 128 * n * r * p <= algorithms.MAX_SCRYPT_WORK
        case BcryptHash(cost=cost):
            assert cost <= 16
        case Sha512Crypt(rounds=rounds):
            assert rounds <= older.MAX_CRYPT_ROUNDS
        case PhpassHash(log=cost):
            assert cost <= 20
        case SaltedSha(salt=salt):
            assert 4 <= len(salt) <= 64
        case None:
            assert check(PASSWORD, damaged) == Verdict(ok=False)


@given(st.data())
@settings(max_examples=300)
def test_whatever_fits_a_pattern_can_be_computed(data):
    """What is parsed raises nothing afterwards; only the cheap ones are tried."""
    pattern, _ = data.draw(st.sampled_from(formats.FORMATS))
    stored = data.draw(st.from_regex(pattern, fullmatch=True))
    if is_cheap(parse(stored)):
        assert isinstance(check(PASSWORD, stored), Verdict)


def is_cheap(found: StoredHash | None) -> bool:
    match found:
        case Argon2Hash(cost=cost):
            return cost.memory_kib * cost.passes < 4096
        case Pbkdf2Hash(rounds=rounds):
            return rounds < 4096
        case ScryptHash(n=n, r=r, p=p):
            return n * r * p < 16384
        case BcryptHash(cost=logarithm):
            return logarithm < 6
        case Sha512Crypt(rounds=rounds):
            return rounds < 4096
        case PhpassHash(log=logarithm):
            return logarithm < 10
        case SaltedSha():
            return True
    return False


@pytest.mark.parametrize("n", [2, 1024, 32768, 65536, 1 << 17, 1 << 20])
@pytest.mark.parametrize("r", [1, 2, 8, 1024])
@pytest.mark.parametrize("p", [1, 16])
def test_scrypt_takes_what_the_bounds_let_through(n, r, p):
    """OpenSSL has bounds of its own, and ours are within them."""
    try:
        found = ScryptHash(n, r, p, b"salt", b"0" * 32)
    except ValueError:
        return
    if n * r * p <= 1 << 18:
        assert not found.matches(b"x")


def test_no_memory_is_not_a_wrong_password():
    """It says that it could not check, instead of what it does not know."""
    with (
        mock.patch.object(algorithms, "hash_secret_raw", side_effect=MemoryError),
        pytest.raises(Overloaded),
    ):
        check(PASSWORD, make(PASSWORD, QUICK))


@pytest.mark.parametrize(
    "cost",
    [(7, 1, 1), (8, 0, 1), (8, 1, 0), (15, 1, 2), (1 << 19, 1, 1), (1 << 18, 5, 1), (512, 1, 17)],
)
def test_parameters_out_of_bounds(cost):
    """A hash of ours can always be checked."""
    with pytest.raises(ValueError, match="out of bounds"):
        Argon2(*cost)
