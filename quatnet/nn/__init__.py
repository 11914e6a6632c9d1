"""The engine: what a network is. No autograd; every layer states its forward and backward pass."""
