"""What can go wrong at the gate. Texts carry names and counts, never values."""

from include.errors import PlumblineError


class SuiteError(PlumblineError):
    """A suite or a table of reference values says something the gate does not know."""


class QualityPolicyError(PlumblineError):
    """The quality policy contradicts itself or says something the gate does not know."""


class GateError(PlumblineError):
    """A batch could not be judged. It stays where it is; an error is never a pass."""


class GateDisagreementError(GateError):
    """Great Expectations and the gate's own SQL counted different failures for a rule."""


class IntakeLostError(GateError):
    """The batch's intake table does not hold the rows that were loaded into it."""


class ReplayError(PlumblineError):
    """Quarantined records or batches cannot be opened again as asked."""
