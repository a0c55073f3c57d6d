"""Where tasks come from: readers, generators, and open_workload()."""
