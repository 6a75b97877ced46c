"""Other finders of identifiers behind the same interface. None is needed; what one finds is added to what the rules find."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from include.errors import PlumblineError
from include.privacy.text import spans
from include.privacy.text.spans import Span

# Presidio's entity types that Safe Harbor lists; nationalities and years alone are not among them.
_PRESIDIO = {
    "PERSON": spans.NAME, "LOCATION": spans.LOCATION, "EMAIL_ADDRESS": spans.EMAIL, "PHONE_NUMBER": spans.PHONE, "US_SSN": spans.SSN, "IP_ADDRESS": spans.IP, "URL": spans.URL,
    "CREDIT_CARD": spans.ACCOUNT, "IBAN_CODE": spans.ACCOUNT, "US_BANK_NUMBER": spans.ACCOUNT, "US_DRIVER_LICENSE": spans.LICENSE, "US_PASSPORT": spans.LICENSE, "MEDICAL_LICENSE": spans.LICENSE,
    "US_ITIN": spans.ID, "CRYPTO": spans.ACCOUNT,
}  # fmt: skip


class EngineError(PlumblineError):
    """An engine that the policy asks for cannot be used here."""


class PresidioEngine:
    """Microsoft Presidio's analyzer, where presidio-analyzer and its language model are installed."""

    def __init__(self) -> None:
        try:
            from presidio_analyzer import AnalyzerEngine
        except ImportError as cause:
            raise EngineError(
                found="the policy on text asks for presidio, which is not installed",
                expected="presidio-analyzer and a spaCy model in this environment",
                action="install them, or take presidio out of engines in text_deidentification.yml",
            ) from cause
        self._analyzer = AnalyzerEngine()

    def find(self, text: str) -> Sequence[Span]:
        """Spans of the classes above."""
        found = self._analyzer.analyze(text=text, language="en", entities=list(_PRESIDIO))
        return [Span(each.start, each.end, _PRESIDIO[each.entity_type], 3) for each in found]


def load_engines(names: Iterable[str]) -> list[PresidioEngine]:
    """The engines a policy names. Raises EngineError for one that is not installed."""
    return [PresidioEngine() for name in names if name == "presidio"]
