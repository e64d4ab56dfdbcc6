"""LIME of many people at once: samples around the background, and a weighted ridge regression a person."""

from dlx.kernels.lime.surrogates import local_surrogates

__all__ = ["local_surrogates"]
