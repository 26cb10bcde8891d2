"""The one error of this package: an attempt that cannot be started, with the reason and sentence of its result."""

from __future__ import annotations


class Refusal(Exception):
    """An attempt that cannot be started; becomes the error of its result."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
