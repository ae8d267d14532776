"""Amounts of money: integers in minor units of a currency, such as cents, never fractions."""

from __future__ import annotations

MAX_AMOUNT = 999_999_999_999
"""The largest amount of a payment, in minor units: card networks have twelve digits for it (ISO 8583, field 4)."""

# ISO 4217, list one, without funds, metals and test codes: each currency with the digits of its minor unit.
# https://www.six-group.com/en/products-services/financial-information/data-standards.html
_WITHOUT_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_WITH_TWO_DIGITS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP "
    "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
    "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB "
    "TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_WITH_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"

DIGITS: dict[str, int] = {
    **dict.fromkeys(_WITHOUT_MINOR_UNIT.split(), 0),
    **dict.fromkeys(_WITH_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_WITH_THREE_DIGITS.split(), 3),
}
"""The currencies of payments, each with the number of digits of its minor unit: USD 2 (cents), JPY 0."""
