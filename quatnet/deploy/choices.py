"""What can be chosen when a network is deployed, by name; the command line offers these without loading the rest."""

VALUES = ("float32", "float16", "int8")
"""How the weights left are stored: 4, 2 or 1 bytes each. The order is part of the file format."""

LAYOUTS = ("dense", "packed", "csr", "stacked", "winograd")
"""How the weights of a layer lie in memory in a compiled network."""
