"""Network ACLs: the ICMP type and code of an entry, which moto reads under another name than that of AWS's model."""

from __future__ import annotations

from typing import Any

from moto.ec2.responses.network_acls import NetworkACLs

from emulator.moto.extend import Method, override


@override(NetworkACLs)
def create_network_acl_entry(original: Method, self: Any) -> Any:
    """Keep the ICMP type and code of a new entry."""
    answer = original(self)
    _keep_icmp(self)
    return answer


@override(NetworkACLs)
def replace_network_acl_entry(original: Method, self: Any) -> Any:
    """Keep the ICMP type and code of a replaced entry."""
    answer = original(self)
    _keep_icmp(self)
    return answer


def _keep_icmp(self: Any) -> None:
    sent = self._get_param("IcmpTypeCode") or {}
    acl = self.ec2_backend.get_network_acl(self._get_param("NetworkAclId"))
    for entry in acl.network_acl_entries:
        if (entry.rule_number, entry.egress) == (self._get_param("RuleNumber"), self._get_param("Egress")):
            entry.icmp_type, entry.icmp_code = sent.get("Type"), sent.get("Code")
