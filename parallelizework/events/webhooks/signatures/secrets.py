"""`Secrets`: the secrets by which a verifier checks signatures."""

from collections.abc import Sequence

from parallelizework.errors import DefinitionError, SettingsError
from parallelizework.settings import secrets_in


class Secrets:
    """The secrets of a verifier: texts, or an environment variable with texts.

    Several secrets are valid at the same time while a secret is replaced.

    Args:
        verifier: The name of the verifier, for messages.
        secret: One or several secrets.
        variable: The environment variable with the secrets, separated by spaces.

    Raises:
        DefinitionError: Both or none of the two are set; or a secret is empty.
    """

    def __init__(
        self, verifier: str, secret: str | Sequence[str] | None, variable: str | None
    ) -> None:
        if (secret is None) == (variable is None):
            raise DefinitionError(
                f"{verifier} needs either secret or variable: pass exactly one of them"
            )
        self._verifier, self._variable = verifier, variable
        self._secrets = [secret] if isinstance(secret, str) else [*(secret or ())]
        is_empty = variable is None and not self._secrets
        if is_empty or variable == "" or not all(map(str.strip, self._secrets)):
            raise DefinitionError(f"{verifier} has an empty secret: pass a secret")

    def __repr__(self) -> str:
        return "Secrets()"  # without a secret

    def values(self) -> Sequence[str]:
        """Return the secrets: at least one.

        Raises:
            SettingsError: The environment variable is not set, or is empty.
        """
        if self._variable is None:
            return self._secrets
        found = secrets_in(self._variable)
        if not found:
            raise SettingsError(
                f"{self._verifier} has no secret: set {self._variable} in the "
                "environment of the worker"
            )
        return found
