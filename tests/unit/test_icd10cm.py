"""The quick reading of ICD-10-CM against the library whose file it reads."""

from __future__ import annotations

import simple_icd_10_cm as library

from include.coding.icd10cm import _codes, all_codes
from include.quality.catalogue.classification_of_diseases import icd10cm_codes


def test_the_list_holds_exactly_the_codes_that_the_library_knows():
    known = {code.replace(".", "") for code in library.get_all_codes() if "-" not in code}
    assert len(known) > 90_000, "otherwise nothing was compared"
    assert set(all_codes()) == known == icd10cm_codes()


def test_a_code_is_billable_where_the_library_has_nothing_finer_under_it():
    known = {
        code.replace(".", ""): library.is_leaf(code)
        for code in library.get_all_codes(with_dots=True)
        if library.is_category_or_subcategory(code)
    }
    assert dict(_codes()) == known
    assert not known["E11"] and known["E119"]
