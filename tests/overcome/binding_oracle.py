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
    "amounts": 1e-4,
    "turnover_pdl1": 1e4,
    "on_pdl2": 8608.0,
    "off_pdl2": 127526.4,
    "degrade_bound": 16.6,
}
"""Settings with which full binding tends to the model's balances: only the speed of binding differs."""
STEPS = {
    "speed of binding": {},
    "turnover of PD-L1": {"turnover_pdl1": 1.0},
    "affinity of PD-L2": {"on_pdl2": 11477.4, "off_pdl2": 47692.8},
    "published amounts": {"amounts": 1.0},
    "all": {"turnover_pdl1": 1.0, "on_pdl2": 11477.4, "off_pdl2": 47692.8, "amounts": 1.0},
}
"""What is made as published, each beside the balance; and all of it."""


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


MENDED = """
  pd1_total = 409.8; pdl1_base = 55.07; dissociation_pdl1 = 14.815; dissociation_pdl2 = 4.155;
  base_sum := pd1_total + pdl1_base + dissociation_pdl1;
  bound_base := 2*pd1_total*pdl1_base/(base_sum + sqrt(base_sum^2 - 4*pd1_total*pdl1_base));
  apparent := dissociation_pdl1/((1 - block_pd1)*(1 - block_pdl1));
"""
MENDED_LESION = """
  ligands_i := pdl1_base*pdl1_i;
  sum_i := pd1_total + ligands_i + apparent;
  held_i := 2*pd1_total*ligands_i/(sum_i + sqrt(sum_i^2 - 4*pd1_total*ligands_i));
  left_i := (pd1_total - held_i)*(1 - block_pd1);
  ligand_i := (held_i + pdl1_base*pdl2_ratio*left_i/(left_i + dissociation_pdl2))/bound_base;
"""
"""The balance that published amounts ask for: PD-1 and PD-L1 take each other away (a quadratic equation);
PD-L2, of which there is little, binds what is left. Amounts and affinities as in `full_binding.ant`."""


def mended_text(lesions: int, drugs: Sequence[str]) -> str:
    """The oracle's text with the quadratic balance in place of the product of free shares."""
    text = oracle_text(lesions, [read_drugs()[name] for name in drugs]).rstrip().removesuffix("end")
    for i in range(1, lesions + 1):
        text, count = re.subn(rf"^  ligand_{i} := .*;$", "", text, flags=re.MULTILINE)
        assert count == 1
    parts = [MENDED, *(re.sub(r"_i\b", f"_{i}", MENDED_LESION) for i in range(1, lesions + 1))]
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
