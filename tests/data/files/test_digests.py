from __future__ import annotations

import hashlib

from rsforge.data.files.digests import file_digest, image_digest


def test_a_file_is_known_by_the_sha256_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 9000  # more than is read at once
    (tmp_path / "a").write_bytes(content)
    assert file_digest(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    (tmp_path / "b").write_bytes(content + b"x")
    assert file_digest(tmp_path / "b") != file_digest(tmp_path / "a")


def test_a_mask_beside_an_image_is_a_part_of_it(tmp_path):
    image = tmp_path / "a.png"
    image.write_bytes(b"image")
    alone = hashlib.sha256(b"image").hexdigest()
    assert file_digest(image) == image_digest(image, b"image") == alone
    digests = set()
    for mask in (b"mask", b"another"):
        (tmp_path / "a.png.msk").write_bytes(mask)
        assert file_digest(image) == image_digest(image, b"image")
        digests.add(file_digest(image))
    assert len(digests | {alone}) == 3
    for band in ("VV", "VH"):
        (tmp_path / f"P_{band}.tif").write_bytes(b"band")
    stack = tmp_path / "P_{VV,VH}.tif"
    before = file_digest(stack), image_digest(stack, b"bands")
    (tmp_path / "P_VH.tif.msk").write_bytes(b"mask")
    assert file_digest(stack) != before[0] and image_digest(stack, b"bands") != before[1]
