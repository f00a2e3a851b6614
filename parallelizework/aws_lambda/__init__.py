"""AWS Lambda: fan-outs as a Lambda function that a restate-server invokes."""

from parallelizework.errors import extras_named

with extras_named("lambda"):
    from parallelizework.aws_lambda.lambda_handler import handler

__all__ = ["handler"]
