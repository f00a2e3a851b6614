"""What a user's `event` returns, and what a webhook decides. Pure."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

_MAX_KEY = 512  # characters, as for the `key` of a `Waiting`


@dataclass(frozen=True, kw_only=True)
class WebhookEvent:
    """An event for the subtasks that wait for its key.

    A subtask waits for the event with `Waiting(key="NAME/KEY")`: `NAME` is the name of
    the webhook, and `KEY` is the key of the event.

    Attributes:
        key: What the event is about, such as the id of a payment: 1 to 512 characters.
        data: What the event says: any value that pydantic can write as JSON.
        id: The id of the event. An event with a known id is not delivered again.
            Default: the event has no id.

    Raises:
        ValueError: The key is empty or too long.
    """

    key: str
    data: Any = None
    id: str | None = None

    def __post_init__(self) -> None:
        """Check the texts: they often come from the third party."""
        if not isinstance(self.key, str) or not 0 < len(self.key) <= _MAX_KEY:  # pyright: ignore[reportUnnecessaryIsInstance] - data of a third party
            raise ValueError(
                f"the key of an event is {self.key!r:.100}: use a text of 1 to "
                f"{_MAX_KEY} characters"
            )
        if self.id is not None and not isinstance(self.id, str):  # pyright: ignore[reportUnnecessaryIsInstance] - data of a third party
            raise ValueError(f"the id of an event is {self.id!r:.100}: use a text")


@dataclass(frozen=True)
class Reply:
    """An answer for the third party instead of an event, such as to a challenge.

    The status is 200. The content type is the `content_type` of the `Webhook`.

    Attributes:
        body: The body of the answer.
    """

    body: str | bytes

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        return self.body.encode() if isinstance(self.body, str) else self.body


class Decision(BaseModel):
    """What a webhook does with a request; the journal has it.

    At most one field is set. If no field is set, the request is ignored.

    Attributes:
        delivery: The key and the JSON of an event that is delivered.
        reply: The body of the answer.
        refusal: The status and the message of the error that the sender receives.
    """

    model_config = ConfigDict(
        frozen=True, ser_json_bytes="base64", val_json_bytes="base64"
    )

    delivery: tuple[str, bytes] | None = None
    reply: bytes | None = None
    refusal: tuple[int, str] | None = None
