"""Measures dlx against captum, shap, lime and shapiq: CPU time a row as a ratio in one run, beside the error of both.

python experiments/benchmark.py --quick takes some three minutes, without --quick it takes some twenty. Both write
benchmark/table.md, table.csv, frontier.csv, frontier.svg and frontier.png. Peer and dlx alternate, on one thread each; the
median of the rounds counts. The nets are random, of two hidden layers of 128 ReLU, against 100 background rows.
"""

from __future__ import annotations

import argparse
import functools
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

import dlx
from dlx.encoder import Encoder
from dlx.files import write_atomically
from dlx.model import NeuralModel, TreeModel
from dlx.models.gradient_boosting import as_trees
from dlx.progress import Narrator
from dlx.schema import Feature, Schema, Target
from dlx.threads import one_thread

HIDDEN, BACKGROUND = 128, 100
LIBRARIES = ("dlx", "torch", "captum", "shap", "lime", "shapiq", "scikit-learn", "numpy")
Values = np.ndarray


@dataclass(frozen=True)
class Contest:
    """One quantity, computed by a peer and by dlx.

    Parameters
    ----------
    quantity, columns, peer_name : str, int, str
        What is computed, of a table of how many columns, and by whom else.
    peer, ours : callable
        Compute it for some rows and return their contributions.
    peer_rows, rows : int
        How many rows each is given: the slow one fewer.
    error : callable, optional
        Contributions of the first rows to their error, in the words of `measure`.
    measure : str
        What the error is.
    target : float
        The ratio that is asked for.
    """

    quantity: str
    columns: int
    peer_name: str
    peer: Callable[[int], Values]
    ours: Callable[[int], Values]
    peer_rows: int
    rows: int
    target: float
    error: Callable[[Values], float] | None = None
    measure: str = ""
