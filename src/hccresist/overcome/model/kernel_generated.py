"""Kernel of the virtual patient: written by `generate` from the model text; do not edit.

Arrays (`state`, `params`, `out`) are float64, one-dimensional; patient first, then each lesion.
`exposures` has COLUMNS columns of LANES numbers, one after another: a number for each phase of the day,
and one for the moment before a dose; columns are the drug effects; rate and value of the state that swings
within the day; sums over lesions; rates of the states; from SHARES the weights of the phases; from SPREAD, a
column for each phase, the swing that a rate brings about.
"""

# ruff: noqa
# fmt: off
# pyright: basic
from math import exp, sqrt

from numba import njit

FAST = {'reassoc', 'contract', 'nsz', 'arcp'}

PATIENT_STATES = (
    'blood_effector', 'stem_memory', 'myeloid_tone', 'afp', 'liver', 'micromets', 'hazard_new',
    'hazard_death', 'hazard_dropout'
)
LESION_STATES = (
    'sensitive', 'tolerant', 'escaped', 'both', 'capacity', 'debris', 'oedema', 'effector', 'exhausted',
    'treg', 'myeloid', 'autophagy', 'upr', 'bypass'
)
PATIENT_PARAMETERS = (
    'one_cell', 'cell_volume', 'lymphocyte_volume', 'macrophage_volume', 'sphere_mm', 'natural_death',
    'hypoxic_death_max', 'vegf_hypoxia', 'vegf_myeloid', 'vegf_reference', 'vessel_base',
    'volume_reference', 'vessel_rate', 'efflux_saturation', 'bypass_on', 'bypass_off', 'bypass_vessels',
    'bypass_rescue', 'addiction_max', 'stasis_max', 'tolerance', 'tolerant_cost', 'tolerance_return',
    'autophagy_on', 'autophagy_off', 'autophagy_cover', 'apoptosis_max', 'ferroptosis_max', 'er_drug',
    'er_limit', 'er_death_max', 'upr_on', 'upr_off', 'upr_gain', 'upr_cover', 'interferon_half',
    'pdl1_fold', 'pdl2_ratio', 'pd1_total', 'pdl1_base', 'dissociation_pdl1', 'dissociation_pdl2',
    'brake_half', 'lactate_hypoxia', 'treg_power', 'myeloid_half', 'myeloid_power', 'cd8_kill_max',
    'contact', 'nk_kill_max', 'traffic', 'traffic_half', 'door_half', 'door_vegf', 'crowd_ratio',
    'nutrient_half', 'exhaustion_rate', 'effector_death', 'exhausted_death', 'treg_ratio', 'treg_rate',
    'treg_hypoxia', 'treg_cap', 'treg_depletion', 'myeloid_ratio', 'myeloid_rate', 'myeloid_hypoxia',
    'spare_ratio', 'debris_clear', 'oedema_volume', 'oedema_rate', 'enhancement_half', 'antigen_half',
    'prime_rate', 'prime_ctla4', 'memory_share', 'memory_output', 'memory_base', 'memory_expansion',
    'memory_cap', 'memory_death', 'blood_death', 'tone_base', 'tone_burden', 'tone_half', 'tone_rate',
    'nlr_unit', 'afp_rate', 'afp_loss', 'dcp_rate', 'dcp_loss', 'liver_repair', 'liver_best',
    'liver_burden', 'liver_half', 'liver_toxicity', 'albi_best', 'albi_slope', 'seed_rate',
    'micromet_growth', 'micromet_kill', 'new_lesion_rate', 'death_rate', 'death_burden', 'death_growth',
    'death_floor', 'dropout_rate', 'dropout_toxicity', 'new_mm', 'tace_embolised', 'ablation_left',
    'resection_left', 'h_tam', 'h_abc', 'h_bypass', 'h_autophagy', 'h_apoptosis', 'h_ferroptosis',
    'h_upr', 'h_pdl1', 'h_lactate', 'h_nutrient', 'h_nk', 'h_exhaustion', 'h_treg', 'h_mdsc',
    'h_presentation', 'h_mutation', 'h_tolerance', 'h_stem', 'h_emt', 'h_hyper_treg', 'h_hyper_growth',
    'h_oedema', 'h_aetiology'
)
LESION_PARAMETERS = (
    'growth_rate', 'capacity_ratio', 'expansion_rate', 'necrosis_core', 'tace_kill', 'h_coopt', 'h_hif',
    'h_exclusion'
)
EXPOSURES = (
    'block_pd1', 'block_pdl1', 'block_ctla4', 'deplete_treg', 'block_vegf', 'inhibit_vegfr',
    'inhibit_fgfr', 'inhibit_met', 'inhibit_egfr', 'dose_kill', 'dose_ferro', 'efflux_affinity',
    'toxicity'
)
PATIENT_OUTPUTS = (
    'burden', 'viable_cells', 'dcp', 'nlr', 'albi', 'new_hazard', 'death_hazard'
)
LESION_OUTPUTS = (
    'whole_mm', 'viable_mm', 'whole_volume', 'cells_ml', 'tumour_growth', 'other_growth', 'tumour_share'
)
PATIENT_SIZE, LESION_SIZE = 9, 14
PATIENT_PARAMS, LESION_PARAMS = 135, 8
PATIENT_SHOWN, LESION_SHOWN = 7, 7
LANES, COLUMNS = 12, 44
SHARES, SPREAD = 35, 36

@njit(cache=True, error_model='numpy', fastmath=FAST)
def saturate(x, half):
    return x / (x + half)

@njit(cache=True, error_model='numpy', fastmath=FAST)
def hill2(x, half):
    return x ** 2 / (x ** 2 + half ** 2)

@njit(cache=True, error_model='numpy', fastmath=FAST)
def hill4(x, half):
    return x ** 4 / (x ** 4 + half ** 4)

@njit(cache=True, error_model='numpy', fastmath=FAST)
def lesion_steady(y, b, p, q, e, out, o):
    k = 0
    sensitive = y[b + 0]; tolerant = y[b + 1]; escaped = y[b + 2]; both = y[b + 3]; capacity = y[b + 4]
    debris = y[b + 5]; oedema = y[b + 6]; effector = y[b + 7]; exhausted = y[b + 8]; treg = y[b + 9]
    myeloid = y[b + 10]; autophagy = y[b + 11]; upr = y[b + 12]; bypass = y[b + 13]
    tumour = sensitive + tolerant + escaped + both; shown = sensitive + tolerant
    takeover = bypass / (1 + e[84 + k] + e[96 + k])
    inside = 1 / (1 + p[113] * e[132 + k] / (1 + e[108 + k] / p[13]))
    apparent = p[40] / ((1 - e[0]) * (1 - e[12])); base_sum = p[38] + p[39] + p[40]
    treg_room = effector / (effector + p[44] * treg + p[0]); escape_sensitive = p[126] * sensitive
    escape_tolerant = p[126] * tolerant
    whole_volume = p[1] * tumour + p[2] * (effector + exhausted + treg) + p[3] * myeloid + debris + oedema
    hypoxia = hill2(tumour, capacity + p[0]); suppressed = myeloid / (myeloid + p[45] * tumour + p[0])
    interferon = effector / (effector + p[35] * tumour + p[0])
    crowd = 1 / (1 + ((effector + exhausted) / (p[54] * tumour + p[0])) ** 2)
    hunger = 1 / (1 + p[121] * tumour / (tumour + p[55])); spare = hill4(capacity, p[67] * tumour + p[0])
    cells_ml = p[1] * tumour; seen = shown / (tumour + p[0]); rescue = p[17] * takeover
    drug = e[108 + k] * inside; ferroptosis = p[27] * hill4(e[120 + k] * inside, 1 + p[117])
    bound_base = 2 * p[38] * p[39] / (base_sum + sqrt(base_sum ** 2 - 4 * p[38] * p[39]))
    hif = hypoxia * (1 + p[q + 6]); treg_target = p[59] * (1 + p[124]) * tumour * (1 + p[61] * hypoxia)
    myeloid_target = p[64] * (1 + p[125]) * y[2] * tumour * (1 + p[66] * hypoxia)
    hypoxic_death = p[6] * hypoxia * (1 - p[34] * upr) / (1 + p[q + 6])
    myeloid_room = 1 - p[46] * suppressed; pdl1 = 1 + (p[36] - 1) * interferon + p[119]
    pressure = saturate(drug, 1); stress = drug + hypoxia
    apoptosis = p[26] * hill2(drug, 1 + p[116]) * (1 - p[25] * autophagy) / (1 + p[q + 6] * hypoxia)
    er_load = p[28] * drug + hypoxia; vegf = 1 + p[7] * hif + p[8] * (1 + p[112]) * suppressed
    lactate = p[43] * hif + p[120]
    treg_net = p[60] * (treg_target - treg) + p[131] * e[0] * treg / (1 + treg / (p[62] * tumour + p[0])) - p[63] * e[36] * treg
    myeloid_net = p[65] * (myeloid_target - myeloid); nk_kill = p[49] * myeloid_room / (1 + p[122])
    ligands = p[39] * pdl1; bypass_net = p[14] * p[114] * pressure * (1 - bypass) - p[15] * bypass
    addicted = p[18] * bypass * saturate(e[84 + k] + e[96 + k], 1) * pressure
    stasis = p[19] * pressure * (1 - rescue); to_tolerant = p[127] + p[128] * pressure
    from_tolerant = p[128] * p[22] * (1 - pressure)
    autophagy_net = p[23] * p[115] * saturate(stress, 1) * (1 - autophagy) - p[24] * autophagy
    upr_net = p[31] * p[118] * saturate(er_load, 1) * (1 - upr) - p[32] * upr
    er_death = p[30] * hill4(er_load, p[29] * (1 + p[33] * upr))
    vegf_signal = vegf * (1 - e[48]) / (1 + e[60 + k]); bound_sum = p[38] + ligands + apparent
    stasis_tolerant = stasis * (1 - p[20])
    gain_sensitive = to_tolerant * sensitive - from_tolerant * tolerant
    gain_escaped = to_tolerant * escaped - from_tolerant * both
    wound = saturate(apoptosis + ferroptosis + er_death + addicted, p[q + 0])
    loss_any = p[5] + hypoxic_death + ferroptosis + er_death + addicted
    vessel_signal = p[10] + vegf_signal + p[16] * takeover / (1 + e[72 + k]) + p[q + 5]
    door = saturate(capacity, p[52] * tumour + p[0]) / (1 + p[53] * vegf_signal) / (1 + p[q + 7])
    held = 2 * p[38] * ligands / (bound_sum + sqrt(bound_sum ** 2 - 4 * p[38] * ligands))
    growth = p[q + 0] * (1 - hypoxia) * (1 + p[132] * e[0]) * (1 + p[129] * (spare + wound))
    loss_escaped = (loss_any + apoptosis + nk_kill) * escaped
    loss_both = (loss_any + apoptosis * (1 - p[20]) + nk_kill) * both
    vessel_target = p[q + 1] * tumour * sqrt(vessel_signal / p[9]) * sqrt(p[11] / (p[11] + whole_volume))
    recruited = p[50] * y[0] * saturate(tumour, p[51]) * door; pd1_left = (p[38] - held) * (1 - e[0])
    birth_sensitive = growth * (1 - stasis) * sensitive
    birth_tolerant = growth * (1 - stasis_tolerant) * (1 - p[21]) * tolerant
    birth_escaped = growth * (1 - stasis) * escaped
    birth_both = growth * (1 - stasis_tolerant) * (1 - p[21]) * both
    capacity_net = p[12] * (vessel_target - capacity)
    ligand = (held + p[39] * p[37] * pd1_left / (pd1_left + p[41])) / bound_base
    birth = birth_sensitive + birth_tolerant + birth_escaped + birth_both; brake = hill2(ligand, p[42])
    able = (1 - brake) / (1 + lactate); exhaustion = (p[56] * brake + p[123]) * effector * seen
    cd8_kill = p[47] * effector / (effector + p[48] * tumour + p[0]) * able * treg_room * myeloid_room
    expansion = p[q + 2] * effector * able / (1 + lactate) * seen * crowd * hunger
    oedema_net = p[70] * (p[69] * (1 + p[133]) * effector * able - oedema)
    exhausted_net = exhaustion - p[58] * exhausted
    loss_sensitive = (loss_any + apoptosis + cd8_kill) * sensitive
    loss_tolerant = (loss_any + apoptosis * (1 - p[20]) + cd8_kill) * tolerant
    effector_net = recruited + expansion - exhaustion - p[57] * effector
    loss = loss_sensitive + loss_tolerant + loss_escaped + loss_both
    debris_net = p[1] * loss - p[68] * debris; tumour_growth = p[1] * (birth - loss)
    e[180 + k] += whole_volume; e[192 + k] += tumour; e[204 + k] += loss; e[216 + k] += recruited
    e[228 + k] += cells_ml; e[240 + k] += tumour_growth
    out[o + 0] = birth_sensitive - loss_sensitive - gain_sensitive - escape_sensitive
    out[o + 1] = birth_tolerant - loss_tolerant + gain_sensitive - escape_tolerant
    out[o + 2] = birth_escaped - loss_escaped - gain_escaped + escape_sensitive
    out[o + 3] = birth_both - loss_both + gain_escaped + escape_tolerant; out[o + 4] = capacity_net
    out[o + 5] = debris_net; out[o + 6] = oedema_net; out[o + 7] = effector_net; out[o + 8] = exhausted_net
    out[o + 9] = treg_net; out[o + 10] = myeloid_net; out[o + 11] = autophagy_net; out[o + 12] = upr_net
    out[o + 13] = bypass_net

@njit(cache=True, error_model='numpy', fastmath=FAST)
def patient_steady(y, p, e, out):
    k = 0
    blood_effector = y[0]; stem_memory = y[1]; myeloid_tone = y[2]; afp = y[3]; liver = y[4]
    micromets = y[5]; stimulus = saturate(e[204 + k], p[72]); unblocked = (1 - e[0]) * (1 - e[12])
    tone_target = p[82] * (1 + p[83] * saturate(e[180 + k], p[84]))
    seeding = p[98] * (1 + p[130]) * e[192 + k]; new_hazard = p[101] * (1 + p[130]) * micromets
    relative_growth = e[240 + k] / (e[228 + k] + 1)
    priming = p[73] * stimulus * (1 + p[74] * e[24]) * (1 - p[134])
    answer = p[76] * stem_memory * stimulus * (p[77] + 1 - unblocked)
    memory_growth = p[78] * (1 - unblocked) * stimulus * stem_memory * (1 - stem_memory / p[79])
    death_hazard = p[102] * (1 + e[228 + k] / p[103]) * exp(p[104] * relative_growth) / (liver ** 2 + p[105])
    out[0] = (1 - p[75]) * priming + answer - p[81] * blood_effector - e[216 + k]
    out[1] = p[75] * priming + memory_growth - p[80] * stem_memory
    out[2] = p[85] * (tone_target - myeloid_tone); out[3] = p[87] * e[192 + k] - p[88] * afp
    out[4] = p[91] * (p[92] - liver) - (p[93] * saturate(e[180 + k], p[94]) + p[95] * e[144 + k]) * liver
    out[5] = seeding + p[99] * (1 - saturate(e[108 + k], 1)) * micromets - p[100] * blood_effector * micromets
    out[6] = new_hazard; out[7] = death_hazard; out[8] = p[106] * (1 + p[107] * e[144 + k])

@njit(cache=True, error_model='numpy', fastmath=FAST)
def lesion_day(y, b, p, q, e, out, o):
    sensitive = y[b + 0]; tolerant = y[b + 1]; escaped = y[b + 2]; both = y[b + 3]; capacity = y[b + 4]
    debris = y[b + 5]; oedema = y[b + 6]; effector = y[b + 7]; exhausted = y[b + 8]; treg = y[b + 9]
    myeloid = y[b + 10]; autophagy = y[b + 11]; upr = y[b + 12]; bypass = y[b + 13]
    tumour = sensitive + tolerant + escaped + both; shown = sensitive + tolerant
    apparent = p[40] / ((1 - e[0]) * (1 - e[12])); base_sum = p[38] + p[39] + p[40]
    treg_room = effector / (effector + p[44] * treg + p[0]); escape_sensitive = p[126] * sensitive
    escape_tolerant = p[126] * tolerant
    whole_volume = p[1] * tumour + p[2] * (effector + exhausted + treg) + p[3] * myeloid + debris + oedema
    suppressed = myeloid / (myeloid + p[45] * tumour + p[0])
    interferon = effector / (effector + p[35] * tumour + p[0])
    crowd = 1 / (1 + ((effector + exhausted) / (p[54] * tumour + p[0])) ** 2)
    hunger = 1 / (1 + p[121] * tumour / (tumour + p[55])); cells_ml = p[1] * tumour
    seen = shown / (tumour + p[0])
    bound_base = 2 * p[38] * p[39] / (base_sum + sqrt(base_sum ** 2 - 4 * p[38] * p[39]))
    myeloid_room = 1 - p[46] * suppressed; pdl1 = 1 + (p[36] - 1) * interferon + p[119]
    nk_kill = p[49] * myeloid_room / (1 + p[122]); ligands = p[39] * pdl1
    bound_sum = p[38] + ligands + apparent
    held = 2 * p[38] * ligands / (bound_sum + sqrt(bound_sum ** 2 - 4 * p[38] * ligands))
    pd1_left = (p[38] - held) * (1 - e[0])
    ligand = (held + p[39] * p[37] * pd1_left / (pd1_left + p[41])) / bound_base
    brake = hill2(ligand, p[42]); exhaustion = (p[56] * brake + p[123]) * effector * seen
    exhausted_net = exhaustion - p[58] * exhausted
    hypoxia = hill2(tumour, capacity + p[0]); hif = hypoxia * (1 + p[q + 6])
    vegf = 1 + p[7] * hif + p[8] * (1 + p[112]) * suppressed
    c0 = e[48]; c1 = p[10]; c2 = p[16]; c3 = p[q + 5]; c4 = p[q + 1]; c5 = p[9]; c6 = p[11]; c7 = p[12]
    for k in range(8):
        takeover_k = bypass / (1 + e[84 + k] + e[96 + k]); vegf_signal_k = vegf * (1 - c0) / (1 + e[60 + k])
        vessel_signal_k = c1 + vegf_signal_k + c2 * takeover_k / (1 + e[72 + k]) + c3
        vessel_target_k = c4 * tumour * sqrt(vessel_signal_k / c5) * sqrt(c6 / (c6 + whole_volume))
        capacity_net_k = c7 * (vessel_target_k - capacity); e[156 + k] = capacity_net_k
    for k in range(8):
        e[168 + k] = capacity
    for j in range(8):
        moved = e[156 + j]
        for k in range(8):
            e[168 + k] += e[432 + 12 * j + k] * moved
    for k in range(8):
        e[168 + k] = max(e[168 + k], 0.0)
    c0 = p[113]; c1 = p[13]; c2 = p[0]; c3 = p[67]; c4 = p[17]; c5 = p[27]; c6 = p[117]; c7 = p[q + 6]
    c8 = p[59]; c9 = p[124]; c10 = p[61]; c11 = p[64]; c12 = p[125]; c13 = y[2]; c14 = p[66]; c15 = p[6]
    c16 = p[34]; c17 = p[26]; c18 = p[116]; c19 = p[25]; c20 = p[28]; c21 = p[7]; c22 = p[8]; c23 = p[112]
    c24 = p[43]; c25 = p[120]; c26 = p[60]; c27 = p[131]; c28 = e[0]; c29 = p[62]; c30 = p[63]; c31 = e[36]
    c32 = p[65]; c33 = p[14]; c34 = p[114]; c35 = p[15]; c36 = p[18]; c37 = p[19]; c38 = p[127]
    c39 = p[128]; c40 = p[22]; c41 = p[23]; c42 = p[115]; c43 = p[24]; c44 = p[31]; c45 = p[118]
    c46 = p[32]; c47 = p[30]; c48 = p[29]; c49 = p[33]; c50 = e[48]; c51 = p[20]; c52 = p[q + 0]; c53 = p[5]
    c54 = p[10]; c55 = p[16]; c56 = p[q + 5]; c57 = p[52]; c58 = p[53]; c59 = p[q + 7]; c60 = p[132]
    c61 = p[129]; c62 = p[q + 1]; c63 = p[9]; c64 = p[11]; c65 = p[50]; c66 = y[0]; c67 = p[51]; c68 = p[21]
    c69 = p[12]; c70 = p[47]; c71 = p[48]; c72 = p[q + 2]; c73 = p[70]; c74 = p[69]; c75 = p[133]
    c76 = p[57]; c77 = p[1]; c78 = p[68]
    for k in range(8):
        capacity = e[168 + k]; takeover = bypass / (1 + e[84 + k] + e[96 + k])
        inside = 1 / (1 + c0 * e[132 + k] / (1 + e[108 + k] / c1)); hypoxia = hill2(tumour, capacity + c2)
        spare = hill4(capacity, c3 * tumour + c2); rescue = c4 * takeover; drug = e[108 + k] * inside
        ferroptosis = c5 * hill4(e[120 + k] * inside, 1 + c6); hif = hypoxia * (1 + c7)
        treg_target = c8 * (1 + c9) * tumour * (1 + c10 * hypoxia)
        myeloid_target = c11 * (1 + c12) * c13 * tumour * (1 + c14 * hypoxia)
        hypoxic_death = c15 * hypoxia * (1 - c16 * upr) / (1 + c7); pressure = saturate(drug, 1)
        stress = drug + hypoxia
        apoptosis = c17 * hill2(drug, 1 + c18) * (1 - c19 * autophagy) / (1 + c7 * hypoxia)
        er_load = c20 * drug + hypoxia; vegf = 1 + c21 * hif + c22 * (1 + c23) * suppressed
        lactate = c24 * hif + c25
        treg_net = c26 * (treg_target - treg) + c27 * c28 * treg / (1 + treg / (c29 * tumour + c2)) - c30 * c31 * treg
        myeloid_net = c32 * (myeloid_target - myeloid)
        bypass_net = c33 * c34 * pressure * (1 - bypass) - c35 * bypass
        addicted = c36 * bypass * saturate(e[84 + k] + e[96 + k], 1) * pressure
        stasis = c37 * pressure * (1 - rescue); to_tolerant = c38 + c39 * pressure
        from_tolerant = c39 * c40 * (1 - pressure)
        autophagy_net = c41 * c42 * saturate(stress, 1) * (1 - autophagy) - c43 * autophagy
        upr_net = c44 * c45 * saturate(er_load, 1) * (1 - upr) - c46 * upr
        er_death = c47 * hill4(er_load, c48 * (1 + c49 * upr)); vegf_signal = vegf * (1 - c50) / (1 + e[60 + k])
        stasis_tolerant = stasis * (1 - c51)
        gain_sensitive = to_tolerant * sensitive - from_tolerant * tolerant
        gain_escaped = to_tolerant * escaped - from_tolerant * both
        wound = saturate(apoptosis + ferroptosis + er_death + addicted, c52)
        loss_any = c53 + hypoxic_death + ferroptosis + er_death + addicted
        vessel_signal = c54 + vegf_signal + c55 * takeover / (1 + e[72 + k]) + c56
        door = saturate(capacity, c57 * tumour + c2) / (1 + c58 * vegf_signal) / (1 + c59)
        growth = c52 * (1 - hypoxia) * (1 + c60 * c28) * (1 + c61 * (spare + wound))
        loss_escaped = (loss_any + apoptosis + nk_kill) * escaped
        loss_both = (loss_any + apoptosis * (1 - c51) + nk_kill) * both
        vessel_target = c62 * tumour * sqrt(vessel_signal / c63) * sqrt(c64 / (c64 + whole_volume))
        recruited = c65 * c66 * saturate(tumour, c67) * door
        birth_sensitive = growth * (1 - stasis) * sensitive
        birth_tolerant = growth * (1 - stasis_tolerant) * (1 - c68) * tolerant
        birth_escaped = growth * (1 - stasis) * escaped
        birth_both = growth * (1 - stasis_tolerant) * (1 - c68) * both
        capacity_net = c69 * (vessel_target - capacity)
        birth = birth_sensitive + birth_tolerant + birth_escaped + birth_both
        able = (1 - brake) / (1 + lactate)
        cd8_kill = c70 * effector / (effector + c71 * tumour + c2) * able * treg_room * myeloid_room
        expansion = c72 * effector * able / (1 + lactate) * seen * crowd * hunger
        oedema_net = c73 * (c74 * (1 + c75) * effector * able - oedema)
        loss_sensitive = (loss_any + apoptosis + cd8_kill) * sensitive
        loss_tolerant = (loss_any + apoptosis * (1 - c51) + cd8_kill) * tolerant
        effector_net = recruited + expansion - exhaustion - c76 * effector
        loss = loss_sensitive + loss_tolerant + loss_escaped + loss_both; debris_net = c77 * loss - c78 * debris
        tumour_growth = c77 * (birth - loss)
        e[252 + k] = e[420 + k] * (birth_sensitive - loss_sensitive - gain_sensitive - escape_sensitive)
        e[264 + k] = e[420 + k] * (birth_tolerant - loss_tolerant + gain_sensitive - escape_tolerant)
        e[276 + k] = e[420 + k] * (birth_escaped - loss_escaped - gain_escaped + escape_sensitive)
        e[288 + k] = e[420 + k] * (birth_both - loss_both + gain_escaped + escape_tolerant)
        e[300 + k] = e[420 + k] * (capacity_net); e[312 + k] = e[420 + k] * (debris_net)
        e[324 + k] = e[420 + k] * (oedema_net); e[336 + k] = e[420 + k] * (effector_net)
        e[360 + k] = e[420 + k] * (treg_net); e[372 + k] = e[420 + k] * (myeloid_net)
        e[384 + k] = e[420 + k] * (autophagy_net); e[396 + k] = e[420 + k] * (upr_net)
        e[408 + k] = e[420 + k] * (bypass_net); e[180 + k] += whole_volume; e[192 + k] += tumour
        e[204 + k] += loss; e[216 + k] += recruited; e[228 + k] += cells_ml; e[240 + k] += tumour_growth
    r0 = r1 = r2 = r3 = r4 = r5 = r6 = r7 = r9 = r10 = r11 = r12 = r13 = 0.0
    for k in range(8):
        r0 += e[252 + k]; r1 += e[264 + k]; r2 += e[276 + k]; r3 += e[288 + k]; r4 += e[300 + k]
        r5 += e[312 + k]; r6 += e[324 + k]; r7 += e[336 + k]; r9 += e[360 + k]; r10 += e[372 + k]
        r11 += e[384 + k]; r12 += e[396 + k]; r13 += e[408 + k]
    out[o + 0] = r0; out[o + 1] = r1; out[o + 2] = r2; out[o + 3] = r3; out[o + 4] = r4; out[o + 5] = r5
    out[o + 6] = r6; out[o + 7] = r7; out[o + 8] = exhausted_net; out[o + 9] = r9; out[o + 10] = r10
    out[o + 11] = r11; out[o + 12] = r12; out[o + 13] = r13

@njit(cache=True, error_model='numpy', fastmath=FAST)
def patient_day(y, p, e, out):
    blood_effector = y[0]; stem_memory = y[1]; myeloid_tone = y[2]; afp = y[3]; liver = y[4]
    micromets = y[5]; unblocked = (1 - e[0]) * (1 - e[12]); new_hazard = p[101] * (1 + p[130]) * micromets
    c0 = p[72]; c1 = p[82]; c2 = p[83]; c3 = p[84]; c4 = p[98]; c5 = p[130]; c6 = p[73]; c7 = p[74]
    c8 = e[24]; c9 = p[134]; c10 = p[76]; c11 = p[77]; c12 = p[78]; c13 = p[79]; c14 = p[102]; c15 = p[103]
    c16 = p[104]; c17 = p[105]; c18 = p[75]; c19 = p[81]; c20 = p[80]; c21 = p[85]; c22 = p[87]; c23 = p[88]
    c24 = p[91]; c25 = p[92]; c26 = p[93]; c27 = p[94]; c28 = p[95]; c29 = p[99]; c30 = p[100]; c31 = p[106]
    c32 = p[107]
    for k in range(8):
        stimulus = saturate(e[204 + k], c0); tone_target = c1 * (1 + c2 * saturate(e[180 + k], c3))
        seeding = c4 * (1 + c5) * e[192 + k]; relative_growth = e[240 + k] / (e[228 + k] + 1)
        priming = c6 * stimulus * (1 + c7 * c8) * (1 - c9)
        answer = c10 * stem_memory * stimulus * (c11 + 1 - unblocked)
        memory_growth = c12 * (1 - unblocked) * stimulus * stem_memory * (1 - stem_memory / c13)
        death_hazard = c14 * (1 + e[228 + k] / c15) * exp(c16 * relative_growth) / (liver ** 2 + c17)
        e[252 + k] = e[420 + k] * ((1 - c18) * priming + answer - c19 * blood_effector - e[216 + k])
        e[264 + k] = e[420 + k] * (c18 * priming + memory_growth - c20 * stem_memory)
        e[276 + k] = e[420 + k] * (c21 * (tone_target - myeloid_tone))
        e[288 + k] = e[420 + k] * (c22 * e[192 + k] - c23 * afp)
        e[300 + k] = e[420 + k] * (c24 * (c25 - liver) - (c26 * saturate(e[180 + k], c27) + c28 * e[144 + k]) * liver)
        e[312 + k] = e[420 + k] * (seeding + c29 * (1 - saturate(e[108 + k], 1)) * micromets - c30 * blood_effector * micromets)
        e[336 + k] = e[420 + k] * (death_hazard); e[348 + k] = e[420 + k] * (c31 * (1 + c32 * e[144 + k]))
    r0 = r1 = r2 = r3 = r4 = r5 = r7 = r8 = 0.0
    for k in range(8):
        r0 += e[252 + k]; r1 += e[264 + k]; r2 += e[276 + k]; r3 += e[288 + k]; r4 += e[300 + k]
        r5 += e[312 + k]; r7 += e[336 + k]; r8 += e[348 + k]
    out[0] = r0; out[1] = r1; out[2] = r2; out[3] = r3; out[4] = r4; out[5] = r5; out[6] = new_hazard
    out[7] = r7; out[8] = r8

@njit(cache=True, error_model='numpy', fastmath=FAST)
def lesion_outputs(y, b, p, q, e, many, out, o):
    sensitive = y[b + 0]; tolerant = y[b + 1]; escaped = y[b + 2]; both = y[b + 3]; capacity = y[b + 4]
    debris = y[b + 5]; oedema = y[b + 6]; effector = y[b + 7]; exhausted = y[b + 8]; treg = y[b + 9]
    myeloid = y[b + 10]; autophagy = y[b + 11]; upr = y[b + 12]; bypass = y[b + 13]
    if many:
        tumour = sensitive + tolerant + escaped + both
        whole_volume = p[1] * tumour + p[2] * (effector + exhausted + treg) + p[3] * myeloid + debris + oedema
        suppressed = myeloid / (myeloid + p[45] * tumour + p[0])
        hypoxia = hill2(tumour, capacity + p[0]); hif = hypoxia * (1 + p[q + 6])
        vegf = 1 + p[7] * hif + p[8] * (1 + p[112]) * suppressed
        c0 = e[48]; c1 = p[10]; c2 = p[16]; c3 = p[q + 5]; c4 = p[q + 1]; c5 = p[9]; c6 = p[11]; c7 = p[12]
        for k in range(8):
            takeover_k = bypass / (1 + e[84 + k] + e[96 + k]); vegf_signal_k = vegf * (1 - c0) / (1 + e[60 + k])
            vessel_signal_k = c1 + vegf_signal_k + c2 * takeover_k / (1 + e[72 + k]) + c3
            vessel_target_k = c4 * tumour * sqrt(vessel_signal_k / c5) * sqrt(c6 / (c6 + whole_volume))
            capacity_net_k = c7 * (vessel_target_k - capacity); e[156 + k] = capacity_net_k
        for j in range(8):
            capacity += e[432 + 12 * j + 8] * e[156 + j]
        capacity = max(capacity, 0.0)
    k = 8
    tumour = sensitive + tolerant + escaped + both; shown = sensitive + tolerant
    takeover = bypass / (1 + e[84 + k] + e[96 + k])
    inside = 1 / (1 + p[113] * e[132 + k] / (1 + e[108 + k] / p[13]))
    apparent = p[40] / ((1 - e[0]) * (1 - e[12])); base_sum = p[38] + p[39] + p[40]
    treg_room = effector / (effector + p[44] * treg + p[0])
    whole_volume = p[1] * tumour + p[2] * (effector + exhausted + treg) + p[3] * myeloid + debris + oedema
    hypoxia = hill2(tumour, capacity + p[0]); suppressed = myeloid / (myeloid + p[45] * tumour + p[0])
    interferon = effector / (effector + p[35] * tumour + p[0])
    crowd = 1 / (1 + ((effector + exhausted) / (p[54] * tumour + p[0])) ** 2)
    hunger = 1 / (1 + p[121] * tumour / (tumour + p[55])); spare = hill4(capacity, p[67] * tumour + p[0])
    enhancing = hill4(capacity, p[71] * tumour + p[0]); cells_ml = p[1] * tumour
    seen = shown / (tumour + p[0]); rescue = p[17] * takeover; drug = e[108 + k] * inside
    ferroptosis = p[27] * hill4(e[120 + k] * inside, 1 + p[117])
    bound_base = 2 * p[38] * p[39] / (base_sum + sqrt(base_sum ** 2 - 4 * p[38] * p[39]))
    whole_mm = p[4] * whole_volume ** (1 / 3); hif = hypoxia * (1 + p[q + 6])
    treg_target = p[59] * (1 + p[124]) * tumour * (1 + p[61] * hypoxia)
    myeloid_target = p[64] * (1 + p[125]) * y[2] * tumour * (1 + p[66] * hypoxia)
    hypoxic_death = p[6] * hypoxia * (1 - p[34] * upr) / (1 + p[q + 6])
    myeloid_room = 1 - p[46] * suppressed; pdl1 = 1 + (p[36] - 1) * interferon + p[119]
    viable_share = enhancing * (whole_volume - debris - oedema) / (whole_volume + p[0])
    pressure = saturate(drug, 1)
    apoptosis = p[26] * hill2(drug, 1 + p[116]) * (1 - p[25] * autophagy) / (1 + p[q + 6] * hypoxia)
    er_load = p[28] * drug + hypoxia; vegf = 1 + p[7] * hif + p[8] * (1 + p[112]) * suppressed
    lactate = p[43] * hif + p[120]
    treg_net = p[60] * (treg_target - treg) + p[131] * e[0] * treg / (1 + treg / (p[62] * tumour + p[0])) - p[63] * e[36] * treg
    myeloid_net = p[65] * (myeloid_target - myeloid); nk_kill = p[49] * myeloid_room / (1 + p[122])
    ligands = p[39] * pdl1; rim_mm = whole_mm * sqrt(1 - (1 - viable_share) ** (2 / 3))
    side_mm = whole_mm * viable_share ** (1 / 3)
    addicted = p[18] * bypass * saturate(e[84 + k] + e[96 + k], 1) * pressure
    stasis = p[19] * pressure * (1 - rescue); er_death = p[30] * hill4(er_load, p[29] * (1 + p[33] * upr))
    vegf_signal = vegf * (1 - e[48]) / (1 + e[60 + k]); bound_sum = p[38] + ligands + apparent
    viable_mm = p[q + 3] * rim_mm + (1 - p[q + 3]) * side_mm; stasis_tolerant = stasis * (1 - p[20])
    wound = saturate(apoptosis + ferroptosis + er_death + addicted, p[q + 0])
    loss_any = p[5] + hypoxic_death + ferroptosis + er_death + addicted
    door = saturate(capacity, p[52] * tumour + p[0]) / (1 + p[53] * vegf_signal) / (1 + p[q + 7])
    held = 2 * p[38] * ligands / (bound_sum + sqrt(bound_sum ** 2 - 4 * p[38] * ligands))
    growth = p[q + 0] * (1 - hypoxia) * (1 + p[132] * e[0]) * (1 + p[129] * (spare + wound))
    loss_escaped = (loss_any + apoptosis + nk_kill) * escaped
    loss_both = (loss_any + apoptosis * (1 - p[20]) + nk_kill) * both
    recruited = p[50] * y[0] * saturate(tumour, p[51]) * door; pd1_left = (p[38] - held) * (1 - e[0])
    birth_sensitive = growth * (1 - stasis) * sensitive
    birth_tolerant = growth * (1 - stasis_tolerant) * (1 - p[21]) * tolerant
    birth_escaped = growth * (1 - stasis) * escaped
    birth_both = growth * (1 - stasis_tolerant) * (1 - p[21]) * both
    ligand = (held + p[39] * p[37] * pd1_left / (pd1_left + p[41])) / bound_base
    birth = birth_sensitive + birth_tolerant + birth_escaped + birth_both; brake = hill2(ligand, p[42])
    able = (1 - brake) / (1 + lactate); exhaustion = (p[56] * brake + p[123]) * effector * seen
    cd8_kill = p[47] * effector / (effector + p[48] * tumour + p[0]) * able * treg_room * myeloid_room
    expansion = p[q + 2] * effector * able / (1 + lactate) * seen * crowd * hunger
    oedema_net = p[70] * (p[69] * (1 + p[133]) * effector * able - oedema)
    exhausted_net = exhaustion - p[58] * exhausted
    loss_sensitive = (loss_any + apoptosis + cd8_kill) * sensitive
    loss_tolerant = (loss_any + apoptosis * (1 - p[20]) + cd8_kill) * tolerant
    effector_net = recruited + expansion - exhaustion - p[57] * effector
    loss = loss_sensitive + loss_tolerant + loss_escaped + loss_both
    debris_net = p[1] * loss - p[68] * debris; tumour_growth = p[1] * (birth - loss)
    other_growth = p[2] * (effector_net + exhausted_net + treg_net) + p[3] * myeloid_net + debris_net + oedema_net
    tumour_share = tumour_growth / (abs(tumour_growth) + abs(other_growth) + p[0])
    e[180 + k] += whole_volume; e[192 + k] += tumour; e[204 + k] += loss; e[216 + k] += recruited
    e[228 + k] += cells_ml; e[240 + k] += tumour_growth
    out[o + 0] = whole_mm; out[o + 1] = viable_mm; out[o + 2] = whole_volume; out[o + 3] = cells_ml
    out[o + 4] = tumour_growth; out[o + 5] = other_growth; out[o + 6] = tumour_share

@njit(cache=True, error_model='numpy', fastmath=FAST)
def patient_outputs(y, p, e, out):
    myeloid_tone = y[2]; liver = y[4]; micromets = y[5]
    k = 8
    nlr = p[86] * myeloid_tone; dcp = p[89] * e[192 + k] / p[90]; albi = p[96] + p[97] * (1 - liver)
    new_hazard = p[101] * (1 + p[130]) * micromets; relative_growth = e[240 + k] / (e[228 + k] + 1)
    death_hazard = p[102] * (1 + e[228 + k] / p[103]) * exp(p[104] * relative_growth) / (liver ** 2 + p[105])
    out[0] = e[180 + k]; out[1] = e[192 + k]; out[2] = dcp; out[3] = nlr; out[4] = albi; out[5] = new_hazard
    out[6] = death_hazard

@njit(cache=True, error_model='numpy', fastmath=FAST)
def lesion_swing(y, b, p, q, e):
    sensitive = y[b + 0]; tolerant = y[b + 1]; escaped = y[b + 2]; both = y[b + 3]; capacity = y[b + 4]
    debris = y[b + 5]; oedema = y[b + 6]; effector = y[b + 7]; exhausted = y[b + 8]; treg = y[b + 9]
    myeloid = y[b + 10]; bypass = y[b + 13]
    tumour = sensitive + tolerant + escaped + both
    whole_volume = p[1] * tumour + p[2] * (effector + exhausted + treg) + p[3] * myeloid + debris + oedema
    suppressed = myeloid / (myeloid + p[45] * tumour + p[0])
    hypoxia = hill2(tumour, capacity + p[0]); hif = hypoxia * (1 + p[q + 6])
    vegf = 1 + p[7] * hif + p[8] * (1 + p[112]) * suppressed
    c0 = e[48]; c1 = p[10]; c2 = p[16]; c3 = p[q + 5]; c4 = p[q + 1]; c5 = p[9]; c6 = p[11]; c7 = p[12]
    for k in range(8):
        takeover_k = bypass / (1 + e[84 + k] + e[96 + k]); vegf_signal_k = vegf * (1 - c0) / (1 + e[60 + k])
        vessel_signal_k = c1 + vegf_signal_k + c2 * takeover_k / (1 + e[72 + k]) + c3
        vessel_target_k = c4 * tumour * sqrt(vessel_signal_k / c5) * sqrt(c6 / (c6 + whole_volume))
        capacity_net_k = c7 * (vessel_target_k - capacity); e[156 + k] = capacity_net_k
    moved = 0.0
    for j in range(8):
        moved += e[432 + 12 * j + 8] * e[156 + j]
    return moved

@njit(cache=True, error_model='numpy', fastmath=FAST)
def lesion_events(p, q):
    new_cells = (p[108] / p[4]) ** 3 / p[1]
    kept_tace = 1 - p[q + 4]
    kept_vessels = 1 - p[109]
    kept_ablation = p[110]
    kept_resection = p[111]
    return new_cells, kept_tace, kept_vessels, kept_ablation, kept_resection

@njit(cache=True, error_model='numpy', fastmath=FAST)
def steady(state, params, exposures, out):
    """Rates of all states on a day of one phase, into `out` (as long as `state`)."""
    for j in range(180, 252):
        exposures[j] = 0.0
    for i in range((state.size - PATIENT_SIZE) // LESION_SIZE):
        b = PATIENT_SIZE + i * LESION_SIZE
        q = PATIENT_PARAMS + i * LESION_PARAMS
        lesion_steady(state, b, params, q, exposures, out, PATIENT_SIZE + i * LESION_SIZE)
    patient_steady(state, params, exposures, out)

@njit(cache=True, error_model='numpy', fastmath=FAST)
def day(state, params, exposures, out):
    """Rates of all states as means over the day, into `out` (as long as `state`)."""
    for j in range(180, 252):
        exposures[j] = 0.0
    for i in range((state.size - PATIENT_SIZE) // LESION_SIZE):
        b = PATIENT_SIZE + i * LESION_SIZE
        q = PATIENT_PARAMS + i * LESION_PARAMS
        lesion_day(state, b, params, q, exposures, out, PATIENT_SIZE + i * LESION_SIZE)
    patient_day(state, params, exposures, out)

@njit(cache=True, error_model='numpy', fastmath=FAST)
def outputs(state, params, exposures, many, out):
    """Outputs before a dose into `out` (PATIENT_SHOWN + lesions * LESION_SHOWN); `many`: a day of phases."""
    for j in range(180, 252):
        exposures[j] = 0.0
    for i in range((state.size - PATIENT_SIZE) // LESION_SIZE):
        b = PATIENT_SIZE + i * LESION_SIZE
        q = PATIENT_PARAMS + i * LESION_PARAMS
        lesion_outputs(state, b, params, q, exposures, many, out, PATIENT_SHOWN + i * LESION_SHOWN)
    patient_outputs(state, params, exposures, out)
