"""What tests/bench/calls is made of: machine (CPU, memory), stage (what runs), talk (who says what),
result (what the simulators saw)."""
