"""Card numbers (PANs) are kept out: a text that a client sends may not hold one."""

from __future__ import annotations

import re

# ISO/IEC 7812-1, of which 13 to 19 digits are in use: in one piece, or in groups that are no part of a longer grouped
# text, such as a UUID.
_NUMBER = re.compile(
    r"(?<![0-9A-Za-z])[0-9]{13,19}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z .-])[0-9]{4}([ .-])[0-9]{4,6}(?:\1[0-9]{1,5}){1,3}(?![0-9A-Za-z .-])"
)
MIN_DIGITS = 13


def holds_card_number(text: str) -> bool:
    """Whether a text holds a number of a card number's length and form whose check digit is right."""
    return any(_check_digit_fits(match[0]) for match in _NUMBER.finditer(text))


def _check_digit_fits(number: str) -> bool:
    """Luhn's algorithm, ISO/IEC 7812-1 annex B."""
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    doubled = [digit * 2 for digit in digits[1::2]]
    total = sum(digits[::2]) + sum(digit - 9 if digit > 9 else digit for digit in doubled)  # noqa: PLR2004
    return len(digits) >= MIN_DIGITS and total % 10 == 0
