"""The pruned network leaves: everything here is made from a `Model`, or from its `steps`."""
