"""Hybrid ML Scheduler: compare, learn and run scheduling policies for machines with CPUs and GPUs."""

__version__ = "0.1.0"
