from __future__ import annotations

import hashlib

from rsforge.data.files.digests import file_digest


def test_a_file_is_known_by_the_sha256_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 9000  # more than is read at once
    (tmp_path / "a").write_bytes(content)
    assert file_digest(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    (tmp_path / "b").write_bytes(content + b"x")
    assert file_digest(tmp_path / "b") != file_digest(tmp_path / "a")
