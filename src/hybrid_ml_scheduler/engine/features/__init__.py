"""Features of learned policies: their only definition, used by training, simulation and live runs alike."""
