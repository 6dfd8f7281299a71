"""Kernel of the virtual patient: written by `generate` from the model text; do not edit.

Arrays (`state`, `params`, `exposures`, `out`) are float64, one-dimensional; patient first, then each lesion.
"""

# ruff: noqa
# fmt: off
# pyright: basic
from math import exp, sqrt

from numba import njit

PATIENT_STATES = (
    'blood_effector', 'stem_memory', 'myeloid_tone', 'afp', 'dcp', 'liver', 'micromets', 'hazard_new',
    'hazard_death', 'hazard_dropout'
)
LESION_STATES = (
    'sensitive', 'tolerant', 'escaped', 'both', 'capacity', 'debris', 'oedema', 'effector', 'exhausted',
    'treg', 'myeloid', 'autophagy', 'upr', 'bypass'
)
PATIENT_PARAMETERS = (
    'one_cell', 'cell_volume', 'lymphocyte_volume', 'macrophage_volume', 'sphere_mm', 'natural_death',
    'hypoxic_death_max', 'vegf_hypoxia', 'vegf_myeloid', 'vegf_reference', 'vessel_base',
    'volume_reference', 'vessel_build', 'vessel_prune', 'efflux_saturation', 'bypass_on', 'bypass_off',
    'bypass_vessels', 'bypass_rescue', 'stasis_max', 'tolerance', 'tolerant_cost', 'tolerance_return',
    'autophagy_on', 'autophagy_off', 'autophagy_cover', 'apoptosis_max', 'ferroptosis_max', 'er_drug',
    'er_limit', 'er_death_max', 'upr_on', 'upr_off', 'upr_gain', 'upr_cover', 'interferon_half',
    'pdl1_fold', 'pdl2_ratio', 'brake_half', 'lactate_hypoxia', 'treg_power', 'myeloid_half',
    'myeloid_power', 'cd8_kill_max', 'contact', 'nk_kill_max', 'traffic', 'traffic_half', 'door_half',
    'door_vegf', 'crowd_ratio', 'nutrient_half', 'exhaustion_rate', 'effector_death', 'exhausted_death',
    'treg_ratio', 'treg_rate', 'treg_hypoxia', 'treg_cap', 'treg_depletion', 'myeloid_ratio',
    'myeloid_rate', 'myeloid_hypoxia', 'spare_ratio', 'debris_clear', 'oedema_volume', 'oedema_rate',
    'enhancement_half', 'antigen_half', 'prime_rate', 'prime_ctla4', 'memory_share', 'memory_output',
    'memory_base', 'memory_expansion', 'memory_cap', 'memory_death', 'blood_death', 'tone_base',
    'tone_burden', 'tone_half', 'tone_rate', 'nlr_unit', 'afp_rate', 'afp_loss', 'dcp_rate', 'dcp_loss',
    'liver_repair', 'liver_best', 'liver_burden', 'liver_half', 'liver_toxicity', 'albi_best', 'albi_slope',
    'seed_rate', 'micromet_growth', 'micromet_kill', 'new_lesion_rate', 'death_rate', 'death_burden',
    'death_growth', 'death_floor', 'dropout_rate', 'dropout_toxicity', 'h_tam', 'h_abc', 'h_bypass',
    'h_autophagy', 'h_apoptosis', 'h_ferroptosis', 'h_upr', 'h_pdl1', 'h_lactate', 'h_nutrient', 'h_nk',
    'h_exhaustion', 'h_treg', 'h_mdsc', 'h_presentation', 'h_mutation', 'h_tolerance', 'h_stem', 'h_emt',
    'h_hyper_treg', 'h_hyper_growth', 'h_oedema', 'h_aetiology'
)
LESION_PARAMETERS = (
    'growth_rate', 'capacity_ratio', 'expansion_rate', 'necrosis_core', 'h_coopt', 'h_hif', 'h_exclusion'
)
EXPOSURES = (
    'block_pd1', 'block_pdl1', 'block_ctla4', 'deplete_treg', 'block_vegf', 'inhibit_vegfr', 'inhibit_fgfr',
    'inhibit_met', 'dose_kill', 'dose_ferro', 'efflux_affinity', 'toxicity'
)
PATIENT_OUTPUTS = (
    'burden', 'viable_cells', 'nlr', 'albi', 'new_hazard', 'death_hazard'
)
LESION_OUTPUTS = (
    'whole_mm', 'viable_mm', 'whole_volume', 'cells_ml', 'tumour_growth', 'other_growth', 'tumour_share'
)
PATIENT_SIZE, LESION_SIZE = 10, 14
PATIENT_PARAMS, LESION_PARAMS = 127, 7
PATIENT_SHOWN, LESION_SHOWN = 6, 7

@njit(cache=True, error_model='numpy')
def saturate(x, half):
    return x / (x + half)

@njit(cache=True, error_model='numpy')
def hill2(x, half):
    return x ** 2 / (x ** 2 + half ** 2)

@njit(cache=True, error_model='numpy')
def hill4(x, half):
    return x ** 4 / (x ** 4 + half ** 4)

@njit(cache=True, error_model='numpy')
def lesion_rhs(y, b, p, q, e, out, o):
    sensitive = y[b + 0]; tolerant = y[b + 1]; escaped = y[b + 2]; both = y[b + 3]; capacity = y[b + 4]
    debris = y[b + 5]; oedema = y[b + 6]; effector = y[b + 7]; exhausted = y[b + 8]; treg = y[b + 9]
    myeloid = y[b + 10]; autophagy = y[b + 11]; upr = y[b + 12]; bypass = y[b + 13]
    tumour = sensitive + tolerant + escaped + both; shown = sensitive + tolerant
    inside = 1 / (1 + p[105] * e[10] / (1 + e[8] / p[14])); rescue = p[18] * bypass / (1 + e[7])
    treg_room = effector / (effector + p[40] * treg + p[0]); escape_sensitive = p[118] * sensitive
    escape_tolerant = p[118] * tolerant
    whole_volume = p[1] * tumour + p[2] * (effector + exhausted + treg) + p[3] * myeloid + debris + oedema
    hypoxia = hill2(tumour, capacity + p[0]); suppressed = myeloid / (myeloid + p[41] * tumour + p[0])
    interferon = effector / (effector + p[35] * tumour + p[0])
    crowd = 1 / (1 + ((effector + exhausted) / (p[50] * tumour + p[0])) ** 2)
    hunger = 1 / (1 + p[113] * tumour / (tumour + p[51])); spare = hill4(capacity, p[63] * tumour + p[0])
    seen = shown / (tumour + p[0]); drug = e[8] * inside; ferroptosis = p[27] * hill4(e[9] * inside, 1 + p[109])
    hif = hypoxia * (1 + p[q + 5]); treg_target = p[55] * (1 + p[116]) * tumour * (1 + p[57] * hypoxia)
    myeloid_target = p[60] * (1 + p[117]) * y[2] * tumour * (1 + p[62] * hypoxia)
    hypoxic_death = p[6] * hypoxia * (1 - p[34] * upr) / (1 + p[q + 5]); myeloid_room = 1 - p[42] * suppressed
    pdl1 = 1 + (p[36] - 1) * interferon + p[111]; pressure = saturate(drug, 1); stress = drug + hypoxia
    apoptosis = p[26] * hill2(drug, 1 + p[108]) * (1 - p[25] * autophagy) / (1 + p[q + 5] * hypoxia)
    er_load = p[28] * drug + hypoxia; vegf = 1 + p[7] * hif + p[8] * (1 + p[104]) * suppressed
    lactate = p[39] * hif + p[112]
    treg_net = p[56] * (treg_target - treg) + p[123] * e[0] * treg / (1 + treg / (p[58] * tumour + p[0])) - p[59] * e[3] * treg
    myeloid_net = p[61] * (myeloid_target - myeloid); nk_kill = p[45] * myeloid_room / (1 + p[114])
    ligand = (1 - e[0]) * (pdl1 * (1 - e[1]) + p[37])
    bypass_net = p[15] * p[106] * pressure * (1 - bypass) - p[16] * bypass
    stasis = p[19] * pressure * (1 - rescue); to_tolerant = p[119] + p[120] * pressure
    from_tolerant = p[120] * p[22] * (1 - pressure)
    autophagy_net = p[23] * p[107] * saturate(stress, 1) * (1 - autophagy) - p[24] * autophagy
    upr_net = p[31] * p[110] * saturate(er_load, 1) * (1 - upr) - p[32] * upr
    er_death = p[30] * hill4(er_load, p[29] * (1 + p[33] * upr)); vegf_signal = vegf * (1 - e[4]) / (1 + e[5])
    brake = hill2(ligand, p[38]); stasis_tolerant = stasis * (1 - p[20])
    gain_sensitive = to_tolerant * sensitive - from_tolerant * tolerant
    gain_escaped = to_tolerant * escaped - from_tolerant * both
    wound = saturate(apoptosis + ferroptosis + er_death, p[q + 0])
    loss_any = p[5] + hypoxic_death + ferroptosis + er_death
    vessel_signal = p[10] + vegf_signal + p[17] * bypass / (1 + e[6]) + p[q + 4]
    door = saturate(capacity, p[48] * tumour + p[0]) / (1 + p[49] * vegf_signal) / (1 + p[q + 6])
    able = (1 - brake) / (1 + lactate); exhaustion = (p[52] * brake + p[115]) * effector * seen
    growth = p[q + 0] * (1 - hypoxia) * (1 + p[124] * e[0]) * (1 + p[121] * (spare + wound))
    loss_escaped = (loss_any + apoptosis + nk_kill) * escaped
    loss_both = (loss_any + apoptosis * (1 - p[20]) + nk_kill) * both
    vessel_target = p[q + 1] * tumour * sqrt(vessel_signal / p[9]) * sqrt(p[11] / (p[11] + whole_volume))
    recruited = p[46] * y[0] * saturate(tumour, p[47]) * door
    cd8_kill = p[43] * effector / (effector + p[44] * tumour + p[0]) * able * treg_room * myeloid_room
    expansion = p[q + 2] * effector * able * seen * crowd * hunger
    oedema_net = p[66] * (p[65] * (1 + p[125]) * effector * able - oedema)
    exhausted_net = exhaustion - p[54] * exhausted; birth_sensitive = growth * (1 - stasis) * sensitive
    birth_tolerant = growth * (1 - stasis_tolerant) * (1 - p[21]) * tolerant
    birth_escaped = growth * (1 - stasis) * escaped
    birth_both = growth * (1 - stasis_tolerant) * (1 - p[21]) * both
    too_many = hill4(capacity, vessel_target + p[0])
    loss_sensitive = (loss_any + apoptosis + cd8_kill) * sensitive
    loss_tolerant = (loss_any + apoptosis * (1 - p[20]) + cd8_kill) * tolerant
    effector_net = recruited + expansion - exhaustion - p[53] * effector
    birth = birth_sensitive + birth_tolerant + birth_escaped + birth_both
    capacity_net = (p[12] + (p[13] - p[12]) * too_many) * (vessel_target - capacity)
    loss = loss_sensitive + loss_tolerant + loss_escaped + loss_both; debris_net = p[1] * loss - p[64] * debris
    tumour_growth = p[1] * (birth - loss)
    other_growth = p[2] * (effector_net + exhausted_net + treg_net) + p[3] * myeloid_net + debris_net + oedema_net
    mass_growth = tumour_growth + other_growth
    out[o + 0] = birth_sensitive - loss_sensitive - gain_sensitive - escape_sensitive
    out[o + 1] = birth_tolerant - loss_tolerant + gain_sensitive - escape_tolerant
    out[o + 2] = birth_escaped - loss_escaped - gain_escaped + escape_sensitive
    out[o + 3] = birth_both - loss_both + gain_escaped + escape_tolerant; out[o + 4] = capacity_net
    out[o + 5] = debris_net; out[o + 6] = oedema_net; out[o + 7] = effector_net; out[o + 8] = exhausted_net
    out[o + 9] = treg_net; out[o + 10] = myeloid_net; out[o + 11] = autophagy_net; out[o + 12] = upr_net
    out[o + 13] = bypass_net
    return whole_volume, tumour, loss, recruited, mass_growth

@njit(cache=True, error_model='numpy')
def patient_rhs(y, p, e, burden, viable_cells, dying, entered, burden_growth, out):
    blood_effector = y[0]; stem_memory = y[1]; myeloid_tone = y[2]; afp = y[3]; dcp = y[4]; liver = y[5]
    micromets = y[6]; stimulus = saturate(dying, p[68]); unblocked = (1 - e[0]) * (1 - e[1])
    tone_target = p[78] * (1 + p[79] * saturate(burden, p[80])); seeding = p[94] * (1 + p[122]) * viable_cells
    new_hazard = p[97] * (1 + p[122]) * micromets; relative_growth = burden_growth / (burden + 1)
    priming = p[69] * stimulus * (1 + p[70] * e[2]) * (1 - p[126])
    answer = p[72] * stem_memory * stimulus * (p[73] + 1 - unblocked)
    memory_growth = p[74] * (1 - unblocked) * stimulus * stem_memory * (1 - stem_memory / p[75])
    death_hazard = p[98] * (1 + burden / p[99]) * exp(p[100] * relative_growth) / (liver ** 2 + p[101])
    out[0] = (1 - p[71]) * priming + answer - p[77] * blood_effector - entered
    out[1] = p[71] * priming + memory_growth - p[76] * stem_memory
    out[2] = p[81] * (tone_target - myeloid_tone); out[3] = p[83] * viable_cells - p[84] * afp
    out[4] = p[85] * viable_cells - p[86] * dcp
    out[5] = p[87] * (p[88] - liver) - (p[89] * saturate(burden, p[90]) + p[91] * e[11]) * liver
    out[6] = seeding + p[95] * (1 - saturate(e[8], 1)) * micromets - p[96] * blood_effector * micromets
    out[7] = new_hazard; out[8] = death_hazard; out[9] = p[102] * (1 + p[103] * e[11])

@njit(cache=True, error_model='numpy')
def lesion_outputs(y, b, p, q, e, out, o):
    sensitive = y[b + 0]; tolerant = y[b + 1]; escaped = y[b + 2]; both = y[b + 3]; capacity = y[b + 4]
    debris = y[b + 5]; oedema = y[b + 6]; effector = y[b + 7]; exhausted = y[b + 8]; treg = y[b + 9]
    myeloid = y[b + 10]; autophagy = y[b + 11]; upr = y[b + 12]; bypass = y[b + 13]
    tumour = sensitive + tolerant + escaped + both; shown = sensitive + tolerant
    inside = 1 / (1 + p[105] * e[10] / (1 + e[8] / p[14])); rescue = p[18] * bypass / (1 + e[7])
    treg_room = effector / (effector + p[40] * treg + p[0])
    whole_volume = p[1] * tumour + p[2] * (effector + exhausted + treg) + p[3] * myeloid + debris + oedema
    hypoxia = hill2(tumour, capacity + p[0]); suppressed = myeloid / (myeloid + p[41] * tumour + p[0])
    interferon = effector / (effector + p[35] * tumour + p[0])
    crowd = 1 / (1 + ((effector + exhausted) / (p[50] * tumour + p[0])) ** 2)
    hunger = 1 / (1 + p[113] * tumour / (tumour + p[51])); spare = hill4(capacity, p[63] * tumour + p[0])
    enhancing = hill4(capacity, p[67] * tumour + p[0]); cells_ml = p[1] * tumour; seen = shown / (tumour + p[0])
    drug = e[8] * inside; ferroptosis = p[27] * hill4(e[9] * inside, 1 + p[109])
    whole_mm = p[4] * whole_volume ** (1 / 3); hif = hypoxia * (1 + p[q + 5])
    treg_target = p[55] * (1 + p[116]) * tumour * (1 + p[57] * hypoxia)
    myeloid_target = p[60] * (1 + p[117]) * y[2] * tumour * (1 + p[62] * hypoxia)
    hypoxic_death = p[6] * hypoxia * (1 - p[34] * upr) / (1 + p[q + 5]); myeloid_room = 1 - p[42] * suppressed
    pdl1 = 1 + (p[36] - 1) * interferon + p[111]
    viable_share = enhancing * (whole_volume - debris) / (whole_volume + p[0]); pressure = saturate(drug, 1)
    apoptosis = p[26] * hill2(drug, 1 + p[108]) * (1 - p[25] * autophagy) / (1 + p[q + 5] * hypoxia)
    er_load = p[28] * drug + hypoxia; vegf = 1 + p[7] * hif + p[8] * (1 + p[104]) * suppressed
    lactate = p[39] * hif + p[112]
    treg_net = p[56] * (treg_target - treg) + p[123] * e[0] * treg / (1 + treg / (p[58] * tumour + p[0])) - p[59] * e[3] * treg
    myeloid_net = p[61] * (myeloid_target - myeloid); nk_kill = p[45] * myeloid_room / (1 + p[114])
    ligand = (1 - e[0]) * (pdl1 * (1 - e[1]) + p[37])
    rim_mm = whole_mm * sqrt(1 - (1 - viable_share) ** (2 / 3)); side_mm = whole_mm * viable_share ** (1 / 3)
    stasis = p[19] * pressure * (1 - rescue); er_death = p[30] * hill4(er_load, p[29] * (1 + p[33] * upr))
    vegf_signal = vegf * (1 - e[4]) / (1 + e[5]); brake = hill2(ligand, p[38])
    viable_mm = p[q + 3] * rim_mm + (1 - p[q + 3]) * side_mm; stasis_tolerant = stasis * (1 - p[20])
    wound = saturate(apoptosis + ferroptosis + er_death, p[q + 0])
    loss_any = p[5] + hypoxic_death + ferroptosis + er_death
    door = saturate(capacity, p[48] * tumour + p[0]) / (1 + p[49] * vegf_signal) / (1 + p[q + 6])
    able = (1 - brake) / (1 + lactate); exhaustion = (p[52] * brake + p[115]) * effector * seen
    growth = p[q + 0] * (1 - hypoxia) * (1 + p[124] * e[0]) * (1 + p[121] * (spare + wound))
    loss_escaped = (loss_any + apoptosis + nk_kill) * escaped
    loss_both = (loss_any + apoptosis * (1 - p[20]) + nk_kill) * both
    recruited = p[46] * y[0] * saturate(tumour, p[47]) * door
    cd8_kill = p[43] * effector / (effector + p[44] * tumour + p[0]) * able * treg_room * myeloid_room
    expansion = p[q + 2] * effector * able * seen * crowd * hunger
    oedema_net = p[66] * (p[65] * (1 + p[125]) * effector * able - oedema)
    exhausted_net = exhaustion - p[54] * exhausted; birth_sensitive = growth * (1 - stasis) * sensitive
    birth_tolerant = growth * (1 - stasis_tolerant) * (1 - p[21]) * tolerant
    birth_escaped = growth * (1 - stasis) * escaped
    birth_both = growth * (1 - stasis_tolerant) * (1 - p[21]) * both
    loss_sensitive = (loss_any + apoptosis + cd8_kill) * sensitive
    loss_tolerant = (loss_any + apoptosis * (1 - p[20]) + cd8_kill) * tolerant
    effector_net = recruited + expansion - exhaustion - p[53] * effector
    birth = birth_sensitive + birth_tolerant + birth_escaped + birth_both
    loss = loss_sensitive + loss_tolerant + loss_escaped + loss_both; debris_net = p[1] * loss - p[64] * debris
    tumour_growth = p[1] * (birth - loss)
    other_growth = p[2] * (effector_net + exhausted_net + treg_net) + p[3] * myeloid_net + debris_net + oedema_net
    mass_growth = tumour_growth + other_growth
    tumour_share = tumour_growth / (abs(tumour_growth) + abs(other_growth) + p[0]); out[o + 0] = whole_mm
    out[o + 1] = viable_mm; out[o + 2] = whole_volume; out[o + 3] = cells_ml; out[o + 4] = tumour_growth
    out[o + 5] = other_growth; out[o + 6] = tumour_share
    return whole_volume, tumour, loss, recruited, mass_growth

@njit(cache=True, error_model='numpy')
def patient_outputs(y, p, e, burden, viable_cells, dying, entered, burden_growth, out):
    myeloid_tone = y[2]; liver = y[5]; micromets = y[6]; nlr = p[82] * myeloid_tone
    albi = p[92] + p[93] * (1 - liver); new_hazard = p[97] * (1 + p[122]) * micromets
    relative_growth = burden_growth / (burden + 1)
    death_hazard = p[98] * (1 + burden / p[99]) * exp(p[100] * relative_growth) / (liver ** 2 + p[101])
    out[0] = burden; out[1] = viable_cells; out[2] = nlr; out[3] = albi; out[4] = new_hazard
    out[5] = death_hazard

@njit(cache=True, error_model='numpy')
def rhs(state, params, exposures, out):
    """Rates of all states at one moment, into `out` (as long as `state`)."""
    burden = viable_cells = dying = entered = burden_growth = 0.0
    for i in range((state.size - PATIENT_SIZE) // LESION_SIZE):
        b = PATIENT_SIZE + i * LESION_SIZE
        q = PATIENT_PARAMS + i * LESION_PARAMS
        add = lesion_rhs(state, b, params, q, exposures, out, PATIENT_SIZE + i * LESION_SIZE)
        burden += add[0]
        viable_cells += add[1]
        dying += add[2]
        entered += add[3]
        burden_growth += add[4]
    patient_rhs(state, params, exposures, burden, viable_cells, dying, entered, burden_growth, out)

@njit(cache=True, error_model='numpy')
def outputs(state, params, exposures, out):
    """Outputs at one moment, into `out` (PATIENT_SHOWN + lesions * LESION_SHOWN)."""
    burden = viable_cells = dying = entered = burden_growth = 0.0
    for i in range((state.size - PATIENT_SIZE) // LESION_SIZE):
        b = PATIENT_SIZE + i * LESION_SIZE
        q = PATIENT_PARAMS + i * LESION_PARAMS
        add = lesion_outputs(state, b, params, q, exposures, out, PATIENT_SHOWN + i * LESION_SHOWN)
        burden += add[0]
        viable_cells += add[1]
        dying += add[2]
        entered += add[3]
        burden_growth += add[4]
    patient_outputs(state, params, exposures, burden, viable_cells, dying, entered, burden_growth, out)
