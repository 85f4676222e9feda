"""Accuracy of integer networks on labelled images, here or on a cluster, and the networks it is told of."""
