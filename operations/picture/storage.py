"""Storage of a region in a picture: buckets, backups, secrets and keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from operations.picture.model import Box, Icon, View, box, counted
from operations.picture.plan import Resource

ENCRYPTION = "aws_s3_bucket_server_side_encryption_configuration"
REPLICATION = "aws_s3_bucket_replication_configuration"


def buckets(view: View) -> Iterator[Box]:
    """The buckets, with the number of those with each property."""
    found, anywhere = view.of("aws_s3_bucket"), view.platform.of("aws_s3_bucket")
    names = {one: view.name(one, "bucket") for one in found}
    features: dict[str, list[Resource]] = {
        "versioning": view.of("aws_s3_bucket_versioning"),
        "lifecycle rules": view.of("aws_s3_bucket_lifecycle_configuration"),
        "KMS key": [one for one in view.of(ENCRYPTION) if _is_keyed(one)],
        "S3's key": [one for one in view.of(ENCRYPTION) if not _is_keyed(one)],
        "replication": [one for one in view.of(REPLICATION) if any(one.names("rule", to) for to in anywhere)],
    }
    having: dict[str, list[str]] = defaultdict(list)
    for feature, configurations in features.items():
        buckets_with_it = [one for one in found if any(other.names("bucket", one) for other in configurations)]
        having[_all_or_some([names[one] for one in buckets_with_it], len(found))].append(feature)
    lines = [", ".join(sorted(names.values()))]
    lines += [f"{which}: {', '.join(what)}" for which, what in having.items() if which]
    configured = [one for configurations in features.values() for one in configurations]
    yield from box(Icon.STORAGE, counted(len(found), "S3 bucket"), lines, [*found, *configured] if found else [])


def _all_or_some(names: Sequence[str], number: int) -> str:
    return "all" if names and len(names) == number else ", ".join(sorted(names))


def _is_keyed(encryption: Resource) -> bool:
    return any(address.startswith("aws_kms_key.") for address in encryption.references.get("rule", ()))


def vaults(view: View) -> Iterator[Box]:
    """Each backup vault with its backup plans."""
    for vault in view.of("aws_backup_vault"):
        plans = [one for one in view.of("aws_backup_plan") if one.names("rule", vault)]
        locks = view.naming("aws_backup_vault_lock_configuration", "backup_vault_name", vault)
        tests = view.naming("aws_backup_restore_testing_plan", "recovery_point_selection", vault)
        own = [plan for plan in plans if plan.place == vault.place]
        said = [
            *(str(rule.get("rule_name")) for plan in own for rule in plan.blocks("rule")),
            "locked" if locks else "",
            "restore tests" if tests else "",
        ]
        lines = [", ".join(filter(None, said))]
        yield from box(Icon.BACKUP, f"Backup vault {view.name(vault)}", lines, [vault, *own, *locks, *tests])


def secrets(view: View) -> Iterator[Box]:
    """The secrets."""
    found, rotations = view.of("aws_secretsmanager_secret"), view.of("aws_secretsmanager_secret_rotation")
    copied = [one for one in found if one.blocks("replica")]
    regions = sorted({str(copy.get("region")) for one in copied for copy in one.blocks("replica")})
    lines = [
        f"{len(rotations)} with rotation" if rotations else "",
        f"{len(copied)} replicated to {', '.join(regions)}" if copied else "",
    ]
    yield from box(Icon.SECRETS, counted(len(found), "secret"), lines, [*found, *rotations])


def keys(view: View) -> Iterator[Box]:
    """The keys, by their aliases."""
    found, aliases = view.of("aws_kms_key"), view.of("aws_kms_alias")
    title = counted(len(found), "KMS key")
    yield from box(Icon.KEYS, title, [", ".join(view.names(aliases))], [*found, *aliases])
