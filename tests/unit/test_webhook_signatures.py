"""The ready-made verifiers accept the documented signatures, and nothing else."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from parallelizework.errors import DefinitionError, SettingsError
from parallelizework.events import (
    GitHubSignature,
    StandardWebhooks,
    StripeSignature,
    WebhookRequest,
)
from parallelizework.events.webhooks.signatures.signed import sha256

Check = Callable[[WebhookRequest], None]

# The example of the specification of Standard Webhooks and of its libraries.
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_AT = 1614265330
STANDARD = WebhookRequest(
    b'{"test": 2432232314}',
    {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(STANDARD_AT),
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
)

# Stripe's documentation has no signature with its secret. This one is the output of
# printf '1492774577.{"id":"evt_123"}' | openssl dgst -sha256 -hmac whsec_test_secret
STRIPE_SECRET = "whsec_test_secret"
STRIPE_AT = 1492774577
STRIPE_V1 = "8ed42c0d25530bc93d008bd5adc906be714034303647887660f36d0957d2a273"
STRIPE = WebhookRequest(
    b'{"id":"evt_123"}', {"Stripe-Signature": f"t={STRIPE_AT},v1={STRIPE_V1},v0=00"}
)

# The example of GitHub's documentation.
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB = WebhookRequest(
    b"Hello, World!",
    {
        "X-Hub-Signature-256": "sha256="
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    },
)


def standard(
    secret: str | list[str] = STANDARD_SECRET, at: float = STANDARD_AT
) -> Check:
    return lambda request: StandardWebhooks(secret).check(request, at)


def stripe(secret: str | list[str] = STRIPE_SECRET, at: float = STRIPE_AT) -> Check:
    return lambda request: StripeSignature(secret).check(request, at)


def github(secret: str | list[str] = GITHUB_SECRET) -> Check:
    return GitHubSignature(secret)


OTHER = "whsec_" + base64.b64encode(b"another secret").decode()
SCHEMES = [(standard, STANDARD), (stripe, STRIPE), (github, GITHUB)]
SECRETS = {standard: STANDARD_SECRET, stripe: STRIPE_SECRET, github: GITHUB_SECRET}
each_scheme = pytest.mark.parametrize(
    ("scheme", "request_"), SCHEMES, ids=["standard", "stripe", "github"]
)
timed = pytest.mark.parametrize(
    ("scheme", "request_", "at"),
    [(standard, STANDARD, STANDARD_AT), (stripe, STRIPE, STRIPE_AT)],
    ids=["standard", "stripe"],
)
Scheme = Callable[..., Check]


def with_header(request: WebhookRequest, name: str, value: str) -> WebhookRequest:
    return replace(request, headers={**request.headers, name.lower(): value})


@each_scheme
def test_the_documented_signature_is_accepted(
    scheme: Scheme, request_: WebhookRequest
) -> None:
    scheme()(request_)


@each_scheme
def test_the_case_of_header_names_does_not_count(
    scheme: Scheme, request_: WebhookRequest
) -> None:
    headers = {name.upper(): value for name, value in request_.headers.items()}

    scheme()(WebhookRequest(request_.body, headers))


@each_scheme
def test_a_changed_body_is_refused(scheme: Scheme, request_: WebhookRequest) -> None:
    changed = replace(request_, body=request_.body + b" ")

    with pytest.raises(ValueError, match="the signature is wrong"):
        scheme()(changed)


@each_scheme
def test_another_secret_is_refused(scheme: Scheme, request_: WebhookRequest) -> None:
    with pytest.raises(ValueError, match="the signature is wrong"):
        scheme(OTHER)(request_)


@each_scheme
def test_two_secrets_are_valid_during_a_rotation(
    scheme: Scheme, request_: WebhookRequest
) -> None:
    secret = SECRETS[scheme]

    scheme([OTHER, secret])(request_)
    scheme([secret, OTHER])(request_)


@each_scheme
def test_a_missing_header_is_named(scheme: Scheme, request_: WebhookRequest) -> None:
    for name in request_.headers:
        left = {n: value for n, value in request_.headers.items() if n != name}

        with pytest.raises(ValueError, match=rf"(?i)the header {name} is missing"):
            scheme()(WebhookRequest(request_.body, left))


@each_scheme
def test_a_signature_that_is_not_ascii_is_refused(
    scheme: Scheme, request_: WebhookRequest
) -> None:
    name = list(request_.headers)[-1]
    value = f"{request_.headers[name]}é\udc80"

    with pytest.raises(ValueError, match="the signature is wrong"):
        scheme()(replace(request_, headers={**request_.headers, name: value[:20]}))


@timed
@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_difference_of_five_minutes_is_tolerated(
    scheme: Scheme, request_: WebhookRequest, at: int, seconds: int
) -> None:
    scheme(at=at + seconds)(request_)


@timed
@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_older_or_a_later_signature_is_refused(
    scheme: Scheme, request_: WebhookRequest, at: int, seconds: int
) -> None:
    with pytest.raises(ValueError, match="too old, or in the future"):
        scheme(at=at + seconds)(request_)


@pytest.mark.parametrize("time", ["", "-1", "1e9", "٣", "9" * 20, "nan"])
def test_a_timestamp_that_is_no_number_is_refused(time: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        standard()(with_header(STANDARD, "webhook-timestamp", time))
    with pytest.raises(ValueError, match="is not a number"):
        stripe()(with_header(STRIPE, "Stripe-Signature", f"t={time},v1={STRIPE_V1}"))


def test_the_tolerance_can_be_longer() -> None:
    verify = StandardWebhooks(STANDARD_SECRET, tolerance=timedelta(days=1))

    verify.check(STANDARD, STANDARD_AT + 86_400)


def test_the_clock_of_the_worker_is_used() -> None:
    with pytest.raises(ValueError, match="too old"):
        StandardWebhooks(STANDARD_SECRET)(STANDARD)
    with pytest.raises(ValueError, match="too old"):
        StripeSignature(STRIPE_SECRET)(STRIPE)


def test_one_of_several_signatures_is_enough() -> None:
    right = STANDARD.headers["webhook-signature"]
    several = with_header(STANDARD, "webhook-signature", f"v1a,x v1,eA== {right}")
    rotated = f"t={STRIPE_AT}, v1=00, v1={STRIPE_V1}"

    standard()(several)
    stripe()(with_header(STRIPE, "Stripe-Signature", rotated))


def test_a_right_signature_of_another_version_is_refused() -> None:
    right = STANDARD.headers["webhook-signature"].removeprefix("v1,")

    with pytest.raises(ValueError, match="the signature is wrong"):
        standard()(with_header(STANDARD, "webhook-signature", f"v2,{right}"))
    with pytest.raises(ValueError, match="the signature is wrong"):
        stripe()(
            with_header(STRIPE, "Stripe-Signature", f"t={STRIPE_AT},v0={STRIPE_V1}")
        )


def test_the_exact_bytes_of_a_body_are_signed() -> None:
    body = b"\xff\x00\r\n"
    signature = sha256(b"secret", body).hex()
    request = WebhookRequest(body, {"x-hub-signature-256": f"sha256={signature}"})

    github("secret")(request)


@pytest.mark.parametrize("verifier", [StandardWebhooks, StripeSignature])
def test_secrets_come_from_an_environment_variable(
    verifier: type[StandardWebhooks] | type[StripeSignature],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_standard = verifier is StandardWebhooks
    secret = STANDARD_SECRET if is_standard else STRIPE_SECRET
    verify = verifier(variable="SHOP_SECRET")
    monkeypatch.setenv("SHOP_SECRET", f"{OTHER} {secret}")

    if is_standard:
        verify.check(STANDARD, STANDARD_AT)
    else:
        verify.check(STRIPE, STRIPE_AT)


def test_a_missing_environment_variable_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_SECRET", " ")

    with pytest.raises(SettingsError, match="set SHOP_SECRET in the environment"):
        GitHubSignature(variable="SHOP_SECRET")(GITHUB)


@pytest.mark.parametrize(
    "verifier", [StandardWebhooks, StripeSignature, GitHubSignature]
)
@pytest.mark.parametrize("secret", ["", " ", [], ["a2V5", ""]])
def test_an_empty_secret_is_an_error_at_once(
    verifier: Callable[..., object], secret: str | list[str]
) -> None:
    with pytest.raises(DefinitionError, match="has an empty secret"):
        verifier(secret)


def test_a_verifier_needs_exactly_one_source_of_secrets() -> None:
    with pytest.raises(DefinitionError, match="either secret or variable"):
        GitHubSignature()
    with pytest.raises(DefinitionError, match="either secret or variable"):
        GitHubSignature("secret", variable="SECRET")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64", "whsec_a"])
def test_a_secret_that_is_not_base64_is_an_error_at_once(secret: str) -> None:
    with pytest.raises(DefinitionError, match="is not base64"):
        StandardWebhooks(secret)
