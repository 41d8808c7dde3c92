"""The rules of a search, without tasks or a clock."""

from __future__ import annotations

from ._dimensions import Choice, Dimension, IntUniform, LogUniform, Uniform, When
from ._journal import (
    Line,
    Pages,
    decode,
    described_error,
    encode,
    header_of,
    line_of,
    same_words,
    trial_of,
    words_for,
)
from ._picture import Axis, axis_of, far_limit, rises_of, worst_near
from ._points import Drawn, Draws, Units
from ._pruners import MedianPruner, Pruner, Reports, Standing, SuccessiveHalvingPruner
from ._ranking import is_better, score_of
from ._space import RandomSource, SearchSpace
from ._trial import Trial, TrialState
from ._units import latin_hypercube_units, random_units
from ._values import as_number, whole_number

__all__ = [
    "Axis",
    "Choice",
    "Dimension",
    "Drawn",
    "Draws",
    "IntUniform",
    "Line",
    "LogUniform",
    "MedianPruner",
    "Pages",
    "Pruner",
    "RandomSource",
    "Reports",
    "SearchSpace",
    "Standing",
    "SuccessiveHalvingPruner",
    "Trial",
    "TrialState",
    "Uniform",
    "Units",
    "When",
    "as_number",
    "axis_of",
    "decode",
    "described_error",
    "encode",
    "far_limit",
    "header_of",
    "is_better",
    "latin_hypercube_units",
    "line_of",
    "random_units",
    "rises_of",
    "same_words",
    "score_of",
    "trial_of",
    "whole_number",
    "words_for",
    "worst_near",
]
