"""The same function as in template.yaml, as an application of the AWS CDK."""

from aws_cdk import App, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_


class FanOuts(Stack):
    """A function that serves fan-outs, and the policy to invoke it."""

    def __init__(self, scope: App, name: str) -> None:
        super().__init__(scope, name)
        function = lambda_.Function(
            self,
            "FanOuts",
            code=lambda_.Code.from_asset("build"),
            handler="greetings.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=1769,
            timeout=Duration.seconds(120),
            reserved_concurrent_executions=50,
            # A changed function has a new version, and the version before is kept.
            current_version_options=lambda_.VersionOptions(
                removal_policy=RemovalPolicy.RETAIN
            ),
        )
        policy = iam.ManagedPolicy(
            self,
            "InvokePolicy",
            statements=[
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"],
                    resources=[f"{function.function_arn}:*"],
                )
            ],
        )
        CfnOutput(self, "Version", value=function.current_version.function_arn)
        CfnOutput(self, "Policy", value=policy.managed_policy_arn)


app = App()
FanOuts(app, "FanOuts")
app.synth()
