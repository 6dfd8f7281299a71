"""Closed code lists of the study tables.

Values are matched without regard to case at the border (readers) and are lower case inside, save
for response words, which keep the field's spelling.
"""

from __future__ import annotations

from typing import Final

SEX: Final = ("female", "male", "other", "unknown")
AETIOLOGY: Final = ("hbv", "hcv", "hbv_hcv", "alcohol", "masld", "other", "unknown")
BCLC: Final = ("0", "A", "B", "C", "D")
END_REASON: Final = (
    "progression",
    "toxicity",
    "liver_decompensation",
    "death",
    "completed",
    "patient_choice",
    "lost_to_follow_up",
    "ongoing",
    "other",
)
PROCEDURE: Final = ("tace", "ablation", "resection", "transplant", "radiotherapy", "other")
CURATIVE_PROCEDURES: Final = ("resection", "transplant")
MODALITY: Final = ("ct", "mri", "ceus", "pet_ct", "ultrasound", "xray", "clinical", "other")
ROLE: Final = ("target", "nontarget", "new_target", "new_nontarget")
ORGAN: Final = (
    "liver",
    "portal_vein",
    "hepatic_vein",
    "bile_duct",
    "porta_hepatis_node",
    "lymph_node",
    "lung",
    "bone",
    "adrenal",
    "peritoneum",
    "ascites",
    "pleural_effusion",
    "pleura",
    "brain",
    "spleen",
    "pancreas",
    "kidney",
    "bladder",
    "bowel",
    "stomach",
    "skin",
    "soft_tissue",
    "breast",
    "ovary",
    "uterus",
    "prostate",
    "thyroid",
    "heart",
    "mediastinum",
    "chest_wall",
    "abdominal_wall",
    "retroperitoneum",
    "other",
)
NODE_ORGANS: Final = ("lymph_node", "porta_hepatis_node")
VASCULAR_ORGANS: Final = ("portal_vein", "hepatic_vein", "bile_duct")
FLUID_ORGANS: Final = ("ascites", "pleural_effusion")
HEPATIC_ORGANS: Final = ("liver", "portal_vein", "hepatic_vein", "bile_duct")
STATE: Final = (
    "present",
    "absent",
    "too_small",
    "not_evaluable",
    "equivocal",
    "worsened",
    "unequivocal_progression",
    "merged",
)
NONTARGET: Final = ("CR", "NON-CR/NON-PD", "PD", "NE", "NONE")
FLUID_CYTOLOGY: Final = ("none", "not_done", "negative", "positive")
SUM_MEASURE: Final = ("longest", "viable", "product", "viable_product")
DEATH_CAUSE: Final = ("tumour", "liver", "other", "unknown")
RESPONSE: Final = (
    "CR",
    "PR",
    "SD",
    "PD",
    "NON-CR/NON-PD",
    "NE",
    "NED",
    "iCR",
    "iPR",
    "iSD",
    "NON-iCR/NON-iUPD",
    "iUPD",
    "iCPD",
)
