"""`FanOutOutcomes`: the outcomes of a run, as they complete."""
