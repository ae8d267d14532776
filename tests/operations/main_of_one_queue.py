"""main.py of a platform that is one queue, with the backend, provider and settings of the whole one."""

import synthesis

synthesis.prepare()

from cdktf import App, TerraformOutput, TerraformStack  # noqa: E402
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue  # noqa: E402
from constructs import Construct  # noqa: E402

from settings import Settings, chosen_environment, load_or_exit  # noqa: E402
from stacks.payment_platform import PaymentPlatform  # noqa: E402


class OneQueue(PaymentPlatform):
    """The stack, without what makes a plan of it take a minute."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        TerraformStack.__init__(self, scope, id_)
        self._settings, self._tags = settings, settings.tags
        self._create_backend()
        self._provider("primary", settings.primary.name)
        queue = SqsQueue(self, "queue", name=settings.names.of("without-make"))
        TerraformOutput(self, "queue_url", value=queue.url)


if __name__ == "__main__":
    app = App()
    OneQueue(app, "payment-platform", settings=load_or_exit(chosen_environment()))
    app.synth()
