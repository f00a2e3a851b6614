"""The client of `FanOutSchedule`."""
