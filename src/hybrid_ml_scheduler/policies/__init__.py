"""Who decides: names, parameters and the registry."""
