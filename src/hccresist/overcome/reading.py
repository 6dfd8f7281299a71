"""How a reading of a diameter differs from the lesion: an error of the logarithm with heavy tails.

Two publications give its size and its shape, and agree on one distribution. The pooled 95 % limits of one
observer's two readings of a lesion are -17.8 to +16.1 % (Yoon 2016). Of lesions scanned twice within 15
minutes, half of the changes lie within 4.3 %, 84 % within 10 %, 3 % are growth of a fifth or more, and the
largest are -23 and +31 % (Oxnard 2011). A normal error that has the limits leaves 75 % within 10 %, and one
that has the 84 % hardly any growth of a fifth (0.5 %). Student's t with three degrees of freedom and the same
standard deviation has both: limits of -15 and +17 %, half within 4.3 %, 84 % within 10 %, growth of a fifth
in 1.8 %. Tails matter: a baseline that was read too large is a response at every later visit.

References
----------
Yoon SH, Kim KW, Goo JM, Kim DW, Hahn S. Observer variability in RECIST-based tumour burden measurements: a
meta-analysis. Eur J Cancer 2016. doi:10.1016/j.ejca.2015.10.014, PMID 26687017.
Oxnard GR, et al. Variability of lung tumor measurements on repeat computed tomography scans taken within 15
minutes. J Clin Oncol 2011. PMID 21730273.
"""

from __future__ import annotations

from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hccresist.overcome.rng import Purpose, draw_uniform

Array = NDArray[np.float64]

READING_SD: Final = 0.061
"""Standard deviation of the logarithm of one reading of one lesion (Yoon 2016; see
`data/measurement_error.csv`)."""
READING_FREEDOM: Final = 3
"""Degrees of freedom of Student's t (chosen on the four figures of Oxnard 2011)."""
READING_LIMIT: Final = log(2.0)
"""Largest error of the logarithm: who is off by more than a factor of two sees it (assumption)."""


def draw_readings(
    patients: NDArray[np.integer], which: NDArray[np.integer], *, seed: int, sd: float = READING_SD
) -> Array:
    """Draw the factors by which readings differ from true diameters.

    Parameters
    ----------
    patients
        Numbers of the patients; shape = (n_patients,).
    which
        Indices of the readings, as of `rng.draw_uniform`.
    seed
        Seed of the run.
    sd
        Standard deviation of the logarithm, before the largest errors are limited.

    Returns
    -------
    ndarray
        shape = (n_patients, count); 1 is a reading without error.
    """
    return shape_readings(draw_uniform(patients, Purpose.MEASUREMENT, which, seed=seed), sd=sd)


def shape_readings(uniform: Array, *, sd: float = READING_SD) -> Array:
    """Factors of readings from numbers between 0 and 1; shape as given.

    Examples
    --------
    >>> shape_readings(np.array([0.5, 0.975])).round(3).tolist()
    [1.0, 1.119]
    """
    from scipy.special import stdtrit  # noqa: PLC0415

    spread = sd * np.sqrt((READING_FREEDOM - 2) / READING_FREEDOM)
    return np.exp(np.clip(spread * stdtrit(READING_FREEDOM, uniform), -READING_LIMIT, READING_LIMIT))
