"""The vocabulary: workloads, clusters, decisions, schedules, errors."""
