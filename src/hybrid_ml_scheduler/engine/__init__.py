"""The one event-driven simulator and its compiled mechanisms."""
