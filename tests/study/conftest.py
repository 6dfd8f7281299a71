"""A small valid study folder, from which broken ones are made by one change each."""

from __future__ import annotations

from pathlib import Path

import pytest

FILES = {
    "study.toml": """\
[study]
name = "small"
title = "Four patients"
index_line = 1
planned_visit_days = [56, 112, 168]

[policies]
confirm_days = 28
""",
    "patients.csv": """\
patient_id,age_years,sex,bclc,child_pugh_score,vascular_invasion,arm,centre
P1,61,male,C,5,true,A,North
P2,58.5,female,B,6,no,A,South
P3,70,MALE,C,,false,B,North
P4,NA,unknown,,5,y,B,South
""",
    "treatments.csv": """\
patient_id,line,drug,start_day,end_day,end_reason
P1,1,lenvatinib,0,150,progression
P1,2,sorafenib,160,,ongoing
P2,1,lenvatinib,0,90,toxicity
P3,1,atezolizumab,0,,ongoing
P4,1,atezolizumab,0,30,death
""",
    "lesions.csv": """\
patient_id,lesion_id,day,role,organ,longest_mm,short_axis_mm,state
P1,L1,-5,target,liver,30,,present
P1,L1,56,target,liver,21.0,,present
P1,L1,112,target,liver,40,,present
P1,N1,-5,nontarget,lymph_node,18,12,present
P1,N1,56,nontarget,lymph_node,,8,present
P1,X1,112,new_target,lung,12,,present
P2,L1,-10,target,liver,52,,
P2,L1,56,target,liver,0,,absent
P3,L1,-3,target,liver,25,,present
P3,L1,56,target,liver,,,not_evaluable
P4,L1,-7,target,liver,44,,present
""",
    "visits.csv": """\
patient_id,day,modality,arterial_phase,new_lesion
P1,-5,ct,true,false
P1,56,ct,true,false
P1,112,ct,true,true
P3,112,mri,yes,no
""",
    "survival.csv": """\
patient_id,os_days,died,last_alive_day,death_cause,ttup_days,ttup_event
P1,400,true,,tumour,300,true
P2,350,false,,,350,false
P3,,false,200,,200,0
P4,30,1,,liver,30,1
""",
    "labs.csv": """\
patient_id,day,test,value,unit,comparator
P1,-5,afp,820,ng/mL,
P2,-10,afp,60500,ng/mL,>
""",
    "procedures.csv": """\
patient_id,day,kind,lesion_id
P3,-400,resection,
P1,-100,tace,L1
""",
}


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    """Return a folder that is read without any warning."""
    folder = tmp_path / "small_study"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder
