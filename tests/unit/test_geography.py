"""Areas of ZIP codes from a hospital's own files, and what is said of files that are not those."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.geography.areas import GeographyError, county_key, read_areas
from include.geography.load import geography_folder

SVI = 'FIPS,LOCATION,RPL_THEMES\n25017,"Middlesex County, Massachusetts",0.30\n24510,"Baltimore city, Maryland",0.9\n'
SVI += '24005,"Baltimore County, Maryland",0.4\n02020,"Anchorage Municipality, Alaska",-999\n'
RUCC = "FIPS,State,County_Name,RUCC_2023\n25017,MA,Middlesex County,1\n02020,AK,Anchorage Municipality,2\n50009,VT,Essex County,9\n"


def _areas(folder: Path) -> dict[str, tuple]:
    return {each.zip_code: (each.svi_quartile, each.rurality) for each in read_areas(folder)}


def test_a_zip_gets_the_quartile_and_rurality_of_its_county(tmp_path: Path) -> None:
    (tmp_path / "SVI.csv").write_text(SVI, encoding="utf-8-sig")
    (tmp_path / "rucc.csv").write_text(RUCC)
    found = _areas(tmp_path)
    assert found["02139"] == (2, "metropolitan")
    assert found["99501"] == (None, "metropolitan"), "-999 is missing, not a low rank"
    assert found["05903"] == (None, "nonmetropolitan")
    assert "10001" not in found


def test_one_file_alone_is_enough_and_other_files_beside_it_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "SVI.csv").write_text(SVI)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert _areas(tmp_path)["02139"] == (2, None)


def test_a_folder_without_a_known_file_and_a_rank_that_is_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(GeographyError, match="none of them one that is known"):
        read_areas(tmp_path)
    (tmp_path / "SVI.csv").write_text(SVI.replace("0.30", "high"))
    with pytest.raises(GeographyError, match="line 2 has no number in RPL_THEMES"):
        read_areas(tmp_path)


def test_county_names_meet_whatever_their_kind_but_a_city_is_not_its_county() -> None:
    assert county_key("St. Mary Parish") == county_key("St Mary")
    assert county_key("Baltimore city") != county_key("Baltimore County")


def test_an_unset_folder_is_none_and_a_missing_one_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLUMBLINE_GEOGRAPHY", raising=False)
    assert geography_folder() is None
    monkeypatch.setenv("PLUMBLINE_GEOGRAPHY", "nowhere")
    with pytest.raises(GeographyError, match="not there"):
        geography_folder()


def test_the_real_index_knows_nearly_every_zip(real_inputs: Path) -> None:
    areas = read_areas(real_inputs / "geo")
    assert len(areas) > 40_000
    assert {each.svi_quartile for each in areas} == {1, 2, 3, 4}
