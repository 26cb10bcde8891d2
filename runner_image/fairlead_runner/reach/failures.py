"""The one error of this package."""


class Failed(Exception):
    """The attempt failed; `reason` and the sentence are those of its result."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
