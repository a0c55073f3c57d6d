"""The one event-driven simulator and its compiled mechanisms."""

from hybrid_ml_scheduler.engine.simulation import Simulation, simulate

__all__ = ["Simulation", "simulate"]
