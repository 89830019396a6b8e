"""What a cell is refused with: a sentence, and nothing of the machinery around it."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


class Unfit(PydanticCustomError):
    """A value that cannot be taken, with the sentence that says why and what would be."""

    def __new__(cls, sentence: str) -> Unfit:
        """Keep the sentence as it is: braces in a customer's cell are no gaps to fill."""
        return super().__new__(cls, "unfit", "{sentence}", {"sentence": sentence})

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
