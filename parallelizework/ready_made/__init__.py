"""Ready-made fan-outs: FanOutWorker and HttpFanOut."""
