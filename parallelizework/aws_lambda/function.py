"""`handler`: the Lambda handler of the fan-outs that `PARALLELIZEWORK_FAN_OUTS` names.

Example: parallelizework.aws_lambda.function.handler
"""

from datetime import timedelta

from parallelizework.aws_lambda import lambda_handler
from parallelizework.settings import Settings


def _configured(settings: Settings) -> lambda_handler.LambdaHandler:
    from parallelizework.serving.loader import load_all  # noqa: PLC0415 - as in `load_app`

    return lambda_handler.handler(
        *load_all(settings),
        identity_keys=settings.identity_keys,
        progress_retention=timedelta(seconds=settings.progress_retention),
    )


handler = _configured(Settings())
