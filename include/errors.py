"""The one shape of every error: what was found, what was expected, what to do. Never a patient's value."""


class PlumblineError(Exception):
    """An error a person can act on.

    ``found``, ``expected`` and ``action`` are whole phrases without a patient's value in them, because messages
    become logs and logs are read by more people than data is.
    """

    def __init__(self, *, found: str, expected: str, action: str) -> None:
        self.found, self.expected, self.action = found, expected, action
        super().__init__(f"{found}; expected {expected}; {action}")

    def __reduce__(self):
        return _rebuild, (type(self), self.found, self.expected, self.action)


def _rebuild(kind: type[PlumblineError], found: str, expected: str, action: str) -> PlumblineError:
    return kind(found=found, expected=expected, action=action)


class SettingsError(PlumblineError):
    """The environment does not say what is needed, or contradicts itself."""


class DataPlaneError(PlumblineError):
    """A database or the object store does not hold what the records say it holds."""
