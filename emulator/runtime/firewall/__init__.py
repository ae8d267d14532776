"""AWS WAF: the rules of a web ACL, evaluated for one request.

https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-processing.html

Emulated: byte, regular expression, size, address, label and rate statements with and, or, not; rule groups; AWS's
managed groups by a minimum (:mod:`emulator.runtime.firewall.managed`). Whatever else a web ACL states raises
NotImplementedError.
"""
