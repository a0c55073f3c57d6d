"""The continuous run: one endless stream of tasks, one lane per policy, every result kept before it is shown."""
