"""Learned policies: data, training, models and their store, and the way from a spelling such as ``hybrid_ml+easy`` to a compiled policy."""
