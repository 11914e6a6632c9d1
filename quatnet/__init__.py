"""quatnet: real and quaternion image classifiers, trained, pruned and re-trained from scratch."""

__version__ = "0.1.0"
