"""The fields of Landsat's metadata are the same in every form."""

from __future__ import annotations

import pytest

from rsforge.data.bands.landsat_metadata import find_metadata, read_fields
from rsforge.data.bands.products import find_level1_scale

PRODUCT = "LC08_L1TP_190024_20200518_20200820_02_T1"
FORMS = {
    ".txt": """GROUP = LANDSAT_METADATA_FILE
  GROUP = LEVEL1_RADIOMETRIC_RESCALING
    REFLECTANCE_MULT_BAND_2 = 2.0000E-05
    REFLECTANCE_ADD_BAND_2 = -0.100000
  END_GROUP = LEVEL1_RADIOMETRIC_RESCALING
  SENSOR_ID = "OLI_TIRS"
END_GROUP = LANDSAT_METADATA_FILE
END
""",
    ".json": """{"LANDSAT_METADATA_FILE": {"LEVEL1_RADIOMETRIC_RESCALING": {
"REFLECTANCE_MULT_BAND_2": "2.0000E-05", "REFLECTANCE_ADD_BAND_2": -0.1}, "SENSOR_ID": "OLI_TIRS"}}""",
    ".xml": """<?xml version="1.0" encoding="UTF-8"?>
<LANDSAT_METADATA_FILE><!-- made by hand -->
  <LEVEL1_RADIOMETRIC_RESCALING>
    <REFLECTANCE_MULT_BAND_2>2.0000E-05</REFLECTANCE_MULT_BAND_2>
    <REFLECTANCE_ADD_BAND_2>-0.100000</REFLECTANCE_ADD_BAND_2>
  </LEVEL1_RADIOMETRIC_RESCALING>
  <SENSOR_ID>OLI_TIRS</SENSOR_ID>
</LANDSAT_METADATA_FILE>""",
}
BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "1"><!ENTITY c "&b;&b;">]>
<a><REFLECTANCE_MULT_BAND_2>&b;</REFLECTANCE_MULT_BAND_2><REFLECTANCE_ADD_BAND_2>&b;</REFLECTANCE_ADD_BAND_2></a>"""


@pytest.mark.parametrize("suffix", FORMS)
def test_every_form_scales_a_band(tmp_path, suffix):
    band, metadata = tmp_path / f"{PRODUCT}_B2.TIF", tmp_path / f"{PRODUCT}_MTL{suffix}"
    assert find_level1_scale(str(band)) is None and find_metadata(tmp_path, PRODUCT).name == f"{PRODUCT}_MTL.txt"
    metadata.write_text(FORMS[suffix])
    assert find_metadata(tmp_path, PRODUCT) == metadata
    assert find_level1_scale(str(band)) == (2e-5, -0.1) and read_fields(metadata)["SENSOR_ID"] == "OLI_TIRS"


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(".xml", BOMB), (".xml", "<a><b></a>"), (".json", "{"), (".json", "[" * 100_000), (".json", "[1]"),
     (".json", " " * (1 << 20) + FORMS[".json"]), (".txt", "REFLECTANCE_MULT_BAND_2 = 1\n"),
     (".txt", "REFLECTANCE_MULT_BAND_2 = nan\nREFLECTANCE_ADD_BAND_2 = 0\n")],
)  # fmt: skip
def test_metadata_that_cannot_be_used_scale_nothing(tmp_path, suffix, content):
    (tmp_path / f"{PRODUCT}_MTL{suffix}").write_text(content)
    assert find_level1_scale(str(tmp_path / f"{PRODUCT}_B2.TIF")) is None
