"""The model with full binding (`full_binding.ant`) in place of its balances, for libRoadRunner."""

from __future__ import annotations

import re
from collections.abc import Sequence

from roadrunner_oracle import Oracle, oracle_text

from hccresist.overcome.dosing import read_drugs
from hccresist.overcome.model.text import FOLDER

SHARES = ("block_pd1", "block_pdl1", "block_ctla4", "deplete_treg", "block_vegf")
"""Drug effects that are binding to a target."""
REPLACED = ("ligand", "vegf_signal")
"""Rules of a lesion that full binding replaces."""
LIKE_THE_BALANCE = {
    "amounts": 1.0,
    "turnover_pdl1": 1e4,
    "on_pdl2": 11477.4,
    "off_pdl2": 47692.8,
    "degrade_bound": 16.6,
}
"""Settings with which full binding tends to the model's balance: only the speed of binding differs."""
STEPS = {
    "speed of binding": {},
    "all": {"turnover_pdl1": 1.0},
}
"""The speed of binding beside the balance; and the turnover of PD-L1, a day, as published too."""


def binding_text(lesions: int, drugs: Sequence[str]) -> str:
    """The oracle's text with full binding."""
    text = oracle_text(lesions, [read_drugs()[name] for name in drugs]).rstrip().removesuffix("end")
    for name in SHARES:
        text, count = re.subn(
            rf"^  {name} := \((.*)\)/\(1 \+ \1\);$", rf"  u_{name} := \1;", text, flags=re.MULTILINE
        )
        assert count == 1, name
    for i in range(1, lesions + 1):
        for name in REPLACED:
            text, count = re.subn(rf"^  {name}_{i} := .*;$", "", text, flags=re.MULTILINE)
            assert count == 1, name
    added = (FOLDER / "full_binding.ant").read_text(encoding="utf-8")
    shared, _, lesion = added.partition("//@ lesion\n")
    parts = [shared, *(re.sub(r"_i\b", f"_{i}", lesion) for i in range(1, lesions + 1))]
    own = r"\b(vegf|pdl1)_i\b"
    assert re.search(own, lesion)
    return text + "".join(parts) + "end\n"


class BindingOracle(Oracle):
    """The model with full binding; stiff, so that it is solved by backward differences."""

    def __init__(self, lesions: int, drugs: Sequence[str]) -> None:
        super().__init__(lesions, drugs, text=binding_text(lesions, drugs), tolerances=(1e-8, 1e-11))
        self.runner.integrator.stiff = True
        for i in range(1, lesions + 1):
            self.follow |= {f"shown_pdl1_{i}": f"pdl1_{i}", f"free_vegf_{i}": f"vegf_{i}"}

    def choose(self, step: str, **more: float) -> None:
        """Take one part of binding as published, or all of it."""
        self.extra = LIKE_THE_BALANCE | STEPS[step] | more
