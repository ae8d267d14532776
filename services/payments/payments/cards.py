"""Keeps card numbers out: what looks like one is refused wherever a client may write."""

from __future__ import annotations

import re

# A whole word of 12 to 19 digits, which may stand in groups. https://www.iso.org/standard/70484.html (ISO/IEC 7812-1)
_NUMBER = re.compile(r"(?<![0-9A-Za-z])\d(?:[ .-]?\d){11,18}(?![0-9A-Za-z])")


def holds_card_number(text: str) -> bool:
    """Whether a text has a number in it that could be a card's: its check digit fits."""
    # Unicode knows more digits than ten.
    return any(_check_digit_fits(match[0]) for match in _NUMBER.finditer(text))


def _check_digit_fits(number: str) -> bool:
    """Luhn's algorithm."""
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    doubled = [digit * 2 for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(number - 9 if number > 9 else number for number in doubled)) % 10 == 0  # noqa: PLR2004
