"""What an operator must be allowed to read a database by `make database`, as an IAM policy: for a permission set, say.

https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-quickstart.html
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
"""

from __future__ import annotations

from typing import Any

from operations.database.place import Place
from operations.database.session import DOCUMENT


def policy(place: Place, user: str) -> dict[str, Any]:
    """The policy document for the database role ``user`` in one region."""
    at = f"{place.region}:{place.account_id}"
    cluster = f"arn:aws:ecs:{at}:cluster/{place.cluster}"
    tasks = f"arn:aws:ecs:{at}:task/{place.cluster}/*"
    in_cluster = {"ArnEquals": {"ecs:cluster": cluster}}
    statements: dict[str, tuple[list[str], list[str], dict[str, Any]]] = {
        "FindTheDatabase": (
            ["ec2:DescribeSecurityGroups", "ecs:DescribeTaskDefinition"],
            ["*"],  # they know no resource
            {},
        ),
        "ReadTheDatabasesPlace": (
            ["ecs:DescribeServices", "rds:DescribeDBClusters"],
            [f"arn:aws:ecs:{at}:service/{place.cluster}/{place.service}", f"arn:aws:rds:{at}:cluster:*"],
            {},
        ),
        "StartATaskForIt": (["ecs:RunTask"], [f"{place.definition.rpartition(':')[0]}:*"], in_cluster),
        "WatchAndStopTasks": (["ecs:DescribeTasks", "ecs:StopTask"], [tasks], in_cluster),
        "GiveTheTaskItsRoles": (
            ["iam:PassRole"],
            [place.role, place.execution_role],
            {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        "ForwardAPort": (
            ["ssm:StartSession"],
            [tasks, f"arn:aws:ssm:{place.region}::document/{DOCUMENT}"],
            {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}},
        ),
        "EndOwnSessions": (["ssm:TerminateSession"], [f"arn:aws:ssm:{at}:session/${{aws:userid}}-*"], {}),
        "LogIn": (["rds-db:connect"], [f"arn:aws:rds-db:{at}:dbuser:{place.resource_id}/{user}"], {}),
    }
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
            | ({"Condition": condition} if condition else {})
            for sid, (actions, resources, condition) in statements.items()
        ],
    }
