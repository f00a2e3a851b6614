"""`Schedules`: set, list and control schedules; each method blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack, overload

from parallelizework.client.codec import Codec, Result, Subtask, Task, Value, codec_of
from parallelizework.client.schedules.async_schedules import AsyncSchedules
from parallelizework.client.schedules.requests import Options

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import JsonValue

    from parallelizework.client.event_loop_thread import EventLoopThread
    from parallelizework.client.server_api.server import Server
    from parallelizework.fan_out import FanOut
    from parallelizework.schedules.models import SavedSchedule, Schedule


class Schedules:
    """The schedules of a restate-server. `Client.schedules` returns it.

    Every method raises `Unreachable` if no server or no worker answers. Every method
    with a name raises `UnknownSchedule` if no schedule has that name, except `set`.
    """

    def __init__(self, server: Server, thread: EventLoopThread) -> None:
        self._schedules = AsyncSchedules(server)
        self._thread = thread

    @overload
    def set(
        self,
        name: str,
        cron: str,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
        task: Task,
        **options: Unpack[Options],
    ) -> SavedSchedule: ...

    @overload
    def set(
        self,
        name: str,
        cron: str,
        fan_out: str,
        task: JsonValue,
        **options: Unpack[Options],
    ) -> SavedSchedule: ...

    def set(
        self,
        name: str,
        cron: str,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        **options: Unpack[Options],
    ) -> SavedSchedule:
        """Create or change a schedule. The same values again change nothing.

        Args:
            name: The name of the schedule: 1 to 128 of the characters `A-Z`, `a-z`,
                `0-9`, `_`, `.` and `-`.
            cron: Five fields, such as `0 3 * * *`; or a shorthand such as `@daily`; or
                an interval such as `every 30s`.
            fan_out: The `FanOut`, or the name of a fan-out, as for `submit`.
            task: The task of each run; 256 KiB of JSON at most.
            options: `zone`, the time zone of the cron expression, by default `UTC`.
                `overlap`: `skip` (the default), `queue`, `replace` or `allow`.
                `missed`: `one` (the default), `all` or `skip`. `time_field`: the field
                of the task that receives the time of the run. `owner`: who has set the
                schedule.

        Returns:
            The `status`: `created`, `changed` or `unchanged`; and the `next` time.

        Raises:
            UnknownFanOut: No registered worker serves that fan-out.
            UnfitData: A value is invalid.
        """
        return self._thread.run(
            self._schedules.set(name, cron, codec_of(fan_out), task, **options)
        )

    def check(
        self,
        name: str,
        cron: str,
        fan_out: str,
        task: JsonValue,
        **options: Unpack[Options],
    ) -> None:
        """Check a schedule as `set` does, and change nothing.

        Raises:
            UnknownFanOut: No registered worker serves that fan-out.
            UnfitData: A value is invalid.
        """
        self._thread.run(self._schedules.check(name, cron, fan_out, task, **options))

    def get(self, name: str) -> Schedule:
        """Return a schedule with its task, its next time and its last runs."""
        return self._thread.run(self._schedules.get(name))

    def list(self) -> list[Schedule]:
        """Return all schedules, sorted by name, without their tasks."""
        return self._thread.run(self._schedules.list())

    def pause(self, name: str) -> None:
        """Pause a schedule: its times start no runs until `resume`."""
        return self._thread.run(self._schedules.pause(name))

    def resume(self, name: str) -> None:
        """Resume a schedule. The times of the pause do not run."""
        return self._thread.run(self._schedules.resume(name))

    def delete(self, name: str) -> None:
        """Delete a schedule. Its runs continue."""
        return self._thread.run(self._schedules.delete(name))

    def trigger(self, name: str) -> str | None:
        """Start a run now, also if the schedule is paused.

        Returns:
            The run's id. None if the run starts after the end of another run, because
            `overlap` is `queue` or `replace`.

        Raises:
            UnknownFanOut: No registered worker serves the fan-out of the schedule.
            Refused: A run has not ended, and `overlap` is `skip`.
        """
        return self._thread.run(self._schedules.trigger(name))

    def backfill(self, name: str, start: datetime, end: datetime) -> int:
        """Start runs for all times of a period in the past.

        The runs start one after the other, unless `overlap` is `allow`.

        Args:
            name: The name of the schedule.
            start: The start of the period. A time without a zone is in UTC.
            end: The end of the period. A time at the end does not run.

        Returns:
            How many times run.

        Raises:
            UnknownFanOut: No registered worker serves the fan-out of the schedule.
            UnfitData: The period has no times, or more than 1,000; or the end is in the
                future.
        """
        return self._thread.run(self._schedules.backfill(name, start, end))
