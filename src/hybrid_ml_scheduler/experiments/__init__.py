"""Grids of workload x policy x seed, reports and plots."""
