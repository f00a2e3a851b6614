"""From `runSubtask` and `runBatch` to the user's function."""
