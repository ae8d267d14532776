"""Card numbers (PANs) are kept out: a text that a client sends may not hold one."""

from __future__ import annotations

import re
from collections.abc import Iterator

LENGTHS = range(13, 20)
"""Digits of the card numbers in use (ISO/IEC 7812-1 allows 8 to 19)."""
ISSUERS = re.compile(r"4|5[0-8]|6|3[0-9]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720|20[0-4])|8[12]")
"""What the card networks' numbers begin with: Visa; Mastercard; Maestro, Discover, UnionPay; American Express, Diners
Club, JCB; Mastercard's second range and Mir; RuPay and UnionPay."""
_HEXADECIMAL = re.compile(r"(?<![0-9A-Za-z])(?=[0-9]*[a-f])[0-9a-f]{32,}(?![0-9A-Za-z])", re.IGNORECASE)
"""A digest or an identifier: the digits in it are no number."""
_UUID = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9-]*[a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z])", re.IGNORECASE
)
"""Idempotency keys are such: between their letters are digits enough for a number, now and then."""
_GROUPS = re.compile(r"[0-9]+(?:[ ._:/-][0-9]+)*")
_OTHER_GROUPINGS = ((4, 6, 5), (4, 6, 4))


def holds_card_number(text: str) -> bool:
    """Whether a text holds a number of a card number's length and issuer whose check digit is right.

    In one piece, whatever is around it but digits, or in groups as they are on cards: all of one length, but for the
    last, which may be shorter; or of 4, 6 and 4 or 5 digits.
    """
    plain = _HEXADECIMAL.sub("", _UUID.sub("", text))
    return any(_is_card_number(number) for groups in _GROUPS.finditer(plain) for number in _numbers(groups[0]))


def _numbers(text: str) -> Iterator[str]:
    """The numbers in digits with separators: each group, and neighbouring groups that are grouped as on cards."""
    groups = re.split("[ ._:/-]", text)
    for first in range(len(groups)):
        yield groups[first]
        for last in range(first + 2, min(len(groups), first + LENGTHS.stop) + 1):
            if _is_grouped_as_on_cards(tuple(map(len, groups[first:last]))):
                yield "".join(groups[first:last])


def _is_grouped_as_on_cards(sizes: tuple[int, ...]) -> bool:
    return (len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0]) or sizes in _OTHER_GROUPINGS


def _is_card_number(number: str) -> bool:
    return len(number) in LENGTHS and bool(ISSUERS.match(number)) and _check_digit_fits(number)


def _check_digit_fits(number: str) -> bool:
    """Luhn's algorithm, ISO/IEC 7812-1 annex B."""
    digits = [int(character) for character in reversed(number)]
    doubled = [digit * 2 for digit in digits[1::2]]
    total = sum(digits[::2]) + sum(digit - 9 if digit > 9 else digit for digit in doubled)  # noqa: PLR2004
    return total % 10 == 0
