"""The layers, one file each, real and quaternion side by side."""

from quatnet.nn.layers.activation import ReLU
from quatnet.nn.layers.batchnorm import BatchNorm, ScalarBatchNorm
from quatnet.nn.layers.conv import Conv2d, QuaternionConv2d
from quatnet.nn.layers.dense import Dense, QuaternionDense
from quatnet.nn.layers.layer import Backward, Layer, WeightLayer
from quatnet.nn.layers.pool import GlobalAveragePool, MaxPool2d
from quatnet.nn.layers.residual import QuaternionSubsample, Residual, Subsample
from quatnet.nn.layers.sequential import Sequential
from quatnet.nn.layers.shape import AppendGray, Flatten, PureReal, QuaternionFlatten
from quatnet.nn.layers.whitening import WhiteningBatchNorm

__all__ = [
    "AppendGray",
    "Backward",
    "BatchNorm",
    "Conv2d",
    "Dense",
    "Flatten",
    "GlobalAveragePool",
    "Layer",
    "MaxPool2d",
    "PureReal",
    "QuaternionConv2d",
    "QuaternionDense",
    "QuaternionFlatten",
    "QuaternionSubsample",
    "ReLU",
    "Residual",
    "ScalarBatchNorm",
    "Sequential",
    "Subsample",
    "WeightLayer",
    "WhiteningBatchNorm",
]
