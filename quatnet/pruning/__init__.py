"""What the paper does to a network: masks, criteria, and the lottery-ticket experiment."""
