"""The engine: layers with explicit forward and backward passes, initialisation, loss, optimizers, networks."""
