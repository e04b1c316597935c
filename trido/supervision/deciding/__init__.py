"""The parts of the decision, by subject; each builds on the one before. Pure: no Trio, no clock.

`memory`, `stopping`, `restarting`, `starting`, `ending`, `steps`, `requests`; put together in
`trido.supervision.decision`.
"""
