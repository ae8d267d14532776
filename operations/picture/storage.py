"""What a region keeps in a picture: buckets, backups, secrets and keys."""

from __future__ import annotations

from collections.abc import Iterator

from operations.picture.model import Box, Kind, View, box, counted, some
from operations.picture.plan import Resource


def buckets(view: View) -> Iterator[Box]:
    """Each bucket."""
    for bucket in view.of("aws_s3_bucket"):
        versions = view.naming("aws_s3_bucket_versioning", "bucket", bucket)
        encryptions = view.naming("aws_s3_bucket_server_side_encryption_configuration", "bucket", bucket)
        cycles = view.naming("aws_s3_bucket_lifecycle_configuration", "bucket", bucket)
        keyed = any(_is_keyed(one) for one in encryptions)
        said = [
            "versions" if versions else "",
            ("own key" if keyed else "S3's key") if encryptions else "",
            "life cycle" if cycles else "",
        ]
        lines = [", ".join(part for part in said if part)]
        title = f"Bucket {view.name(bucket, 'bucket')}"
        yield from box(Kind.DATA, title, lines, [bucket, *versions, *encryptions, *cycles])


def _is_keyed(encryption: Resource) -> bool:
    return any(address.startswith("aws_kms_key.") for address in encryption.references.get("rule", ()))


def vaults(view: View) -> Iterator[Box]:
    """Each backup vault, and the plans that fill it."""
    for vault in view.of("aws_backup_vault"):
        plans = [one for one in view.of("aws_backup_plan") if one.names("rule", vault)]
        locks = view.naming("aws_backup_vault_lock_configuration", "backup_vault_name", vault)
        tests = view.naming("aws_backup_restore_testing_plan", "recovery_point_selection", vault)
        own = [plan for plan in plans if plan.place == vault.place]
        said = [
            *(str(rule.get("rule_name")) for plan in own for rule in plan.blocks("rule")),
            "locked" if locks else "",
            "restores tested" if tests else "",
        ]
        lines = [", ".join(filter(None, said))]
        yield from box(Kind.DATA, f"Backup vault {view.name(vault)}", lines, [vault, *own, *locks, *tests])


def secrets(view: View) -> Iterator[Box]:
    """The secrets."""
    found, rotations = view.of("aws_secretsmanager_secret"), view.of("aws_secretsmanager_secret_rotation")
    copied = [one for one in found if one.blocks("replica")]
    regions = sorted({str(copy.get("region")) for one in copied for copy in one.blocks("replica")})
    lines = [
        some(rotations, "rotates", "rotate"),
        f"{len(copied)} copied to {', '.join(regions)}" if copied else "",
    ]
    yield from box(Kind.SECURITY, counted(len(found), "secret"), lines, [*found, *rotations])


def keys(view: View) -> Iterator[Box]:
    """The keys, by their aliases."""
    found, aliases = view.of("aws_kms_key"), view.of("aws_kms_alias")
    title = counted(len(found), "key")
    yield from box(Kind.SECURITY, title, [", ".join(view.names(aliases))], [*found, *aliases])
