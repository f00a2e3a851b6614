"""`handler` for the setting "handler" of a Lambda function: PARALLELIZEWORK_FAN_OUTS.

Example: parallelizework.aws_lambda.function.handler
"""

from datetime import timedelta

from parallelizework.aws_lambda.handler import handler as made
from parallelizework.serving.loader import load_all
from parallelizework.settings import Settings

_settings = Settings()
handler = made(
    *load_all(_settings),
    identity_keys=_settings.identity_keys,
    progress_retention=timedelta(seconds=_settings.progress_retention),
)
