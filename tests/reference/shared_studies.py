"""Public data of real patients as study folders: the mappings that docs/how-to/public-data.md documents.

Each function reads a data set where it lies and writes a tidy study folder; nothing else is done by hand.
"""

from pathlib import Path

import polars as pl

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def write_atezolizumab(folder: Path) -> Path:
    """Target lesion diameters under atezolizumab or docetaxel (doi 10.1371/journal.pcbi.1009822), CC BY 4.0.

    1. A row without a day is left out, and of two values on one day the first is kept.
    2. The one lesion is a target in organ `other` (lung and bladder cancer).
    3. TOO SMALL TO MEASURE → too_small; NOT EVALUABLE and MISSING → not_evaluable.
    4. Scans up to six weeks before treatment are the baseline (policy).
    """
    rows = pl.read_csv(SHARED / "atezolizumab_lesion_diameters" / "lesion_diameters.csv").drop_nulls("day")
    rows = rows.unique(["patient_id", "day"], keep="first", maintain_order=True)
    state = {"TOO SMALL TO MEASURE": "too_small"} | dict.fromkeys(
        ("NOT EVALUABLE", "MISSING"), "not_evaluable"
    )
    lesions = rows.select(
        "patient_id",
        lesion_id=pl.lit("T1"),
        day="day",
        role=pl.lit("target"),
        organ=pl.lit("other"),
        longest_mm="diam_mm",
        state=pl.col("flag").replace_strict(state, default=None, return_dtype=pl.String),
    )
    patients = rows.select("patient_id", "study", arm="study_arm").unique("patient_id", maintain_order=True)
    return _write(
        folder,
        "atezolizumab",
        {"patients": patients, "lesions": lesions},
        "criteria = ['recist11', 'irecist']\n[policies]\nbaseline_window_start = -42\n",
    )


def write_sysucc(folder: Path) -> Path:
    """Intermediate-stage HCC at Sun Yat-sen University (doi 10.1038/s41467-018-04633-7), MIT.

    1. Day 0 is the first record; the largest diameter of a visit stands for its sum (it is not one).
    2. `new_lesion` above 0, vascular invasion or distant metastasis that was not there at the first record →
       a new lesion at that visit.
    3. AFP → labs (ng/mL); Child-Pugh score of the first record → patients.
    4. Embolization and resection after a visit → a procedure on the following day.
    5. Death and remaining follow-up of the first record → survival.
    """
    rows = pl.read_csv(SHARED / "hcc_sysucc_timeseries" / "timeseries.csv").sort("patient_id", "day")
    rows = rows.unique(["patient_id", "day"], keep="first", maintain_order=True)
    first = rows.unique("patient_id", keep="first", maintain_order=True)
    sites = ("vascular_invasion", "distant_metastasis")
    arises = [(pl.col(site) > 0) & (pl.col(site).first().over("patient_id") <= 0) for site in sites]
    new = pl.any_horizontal(pl.col("new_lesion") > 0, *arises) & (pl.col("day") > 0)
    procedures = [
        rows.filter(pl.col(column) > 0).select("patient_id", day=pl.col("day") + 1, kind=pl.lit(kind))
        for column, kind in (("embolization", "tace"), ("resection", "resection"))
    ]
    tables = {
        "patients": first.select(
            "patient_id",
            age_years=pl.col("age").clip(0, 120),
            child_pugh_score=pl.col("child_pugh_score").round().clip(5, 15).cast(pl.Int64),
        ),
        "sums": rows.select("patient_id", "day", measure=pl.lit("longest"), sum="largest_diameter_mm"),
        "visits": rows.select("patient_id", "day", new_lesion=new),
        "labs": rows.select("patient_id", "day", test=pl.lit("afp"), value="afp_ng_ml", unit=pl.lit("ng/mL")),
        "procedures": pl.concat(procedures),
        "survival": first.select(
            "patient_id", os_days=pl.col("remaining_followup_days").clip(0), died=pl.col("death") > 0
        ),
    }
    return _write(folder, "sysucc", tables, "criteria = ['recist11', 'irecist']\n")


def write_tace_seg(folder: Path) -> Path:
    """HCC-TACE-Seg (doi 10.7937/TCIA.5FNA-0924), CC BY 4.0: three readers, whole and viable sums.

    1. Day 0 is the baseline CT; the follow-up lies at its interval in weeks × 7, rounded to a day. Where the
       interval is missing or not positive, day 42 stands in and `interval_known` is false.
    2. Reader 1, 2, 3 → readers R1, R2, R3; RECIST → sums of longest, mRECIST → sums of viable diameters.
    3. Death and OS in weeks × 7 → survival; time to progression → endpoint TTP of the study.
    """
    data = SHARED / "hcc_tace_seg"
    calls = pl.read_csv(data / "reader_measurements.csv").filter(pl.col("criterion") != "EASL_area_mm2")
    known = pl.col("interval_weeks") > 0
    day = pl.when(known).then((pl.col("interval_weeks") * 7).round()).otherwise(42.0)
    calls = calls.with_columns(
        reader=pl.format("R{}", "reader"),
        measure=pl.col("criterion").replace_strict({"RECIST": "longest", "mRECIST": "viable"}),
        interval_known=known.fill_null(value=False),
        followup_day=day.fill_null(42.0),
    )
    key = ["patient_id", "reader", "measure"]
    sums = pl.concat(
        [
            calls.select(*key, day=pl.lit(0.0), sum="baseline_sum_mm", interval_known="interval_known"),
            calls.select(*key, day="followup_day", sum="followup_sum_mm", interval_known="interval_known"),
        ]
    )
    clinical = pl.read_csv(data / "clinical.csv")
    tables = {
        "patients": clinical.select("patient_id", age_years="age", sex=_sex(), bclc=_bclc()),
        "sums": sums,
        "procedures": clinical.select("patient_id", day=pl.lit(1.0), kind=pl.lit("tace")),
        "survival": clinical.select(
            "patient_id",
            os_days=(pl.col("os_weeks") * 7).clip(0),
            died=pl.col("death") > 0,
            TTP_days=(pl.col("ttp_weeks") * 7).clip(0),
            TTP_event=pl.col("progressed") > 0,
        ),
    }
    return _write(folder, "hcc-tace-seg", tables, "criteria = ['recist11', 'mrecist']\n")


def write_oak(folder: Path) -> Path:
    """OAK, tumour size joined with survival (R package jmpost), Apache-2.0.

    1. Years × 365.25 → days, rounded to a tenth. The sum is the one given; its authors set 0 and TOO SMALL
       TO MEASURE to 2 mm, so a complete response cannot be seen.
    2. Baselines up to six weeks before treatment count (policy).
    3. Overall survival → survival; the published progression-free survival → the study's own endpoint PUBPFS.
    """
    data = SHARED / "oak_joint_subset"
    identity = pl.format("OAK-{}", pl.col("id").cast(pl.String).str.zfill(4))
    rows = pl.read_csv(data / "tumor.csv").with_columns(
        patient_id=identity, day=(pl.col("year") * 365.25).round(1)
    )
    rows = rows.unique(["patient_id", "day"], keep="first", maintain_order=True)
    outcome = pl.read_csv(data / "outcome.csv").with_columns(patient_id=identity)
    tables = {
        "patients": outcome.select("patient_id", "arm", age_years="age", ecog="ecog"),
        "sums": rows.select("patient_id", "day", measure=pl.lit("longest"), sum="sld"),
        "survival": outcome.select(
            "patient_id",
            os_days=(pl.col("os_time") * 365.25).round(1),
            died="os_event",
            PUBPFS_days=(pl.col("pfs_time") * 365.25).round(1),
            PUBPFS_event="pfs_event",
        ),
    }
    more = "criteria = ['recist11', 'irecist']\n[policies]\nbaseline_window_start = -42\n"
    return _write(folder, "oak", tables, more)


def write_inspire(folder: Path) -> Path:
    """INSPIRE, pembrolizumab in five tumour types (doi 10.1038/s43018-020-0096-5), MIT: per-cent change only.

    1. Sum = baseline sum × (1 + change / 100), rounded to 0.1 mm; the baseline lies on day 0.
    2. Weeks × 7 → days, rounded to a tenth. A visit without a change has a sum that is not evaluable.
    3. Months × 30.4375 → survival; the published progression-free survival → the study's own endpoint PUBPFS.
    4. Patients without a size row keep their baseline and their survival.
    """
    data = SHARED / "pembrolizumab_inspire"
    patients = pl.read_csv(data / "patients.csv").rename({"id": "patient_id"})
    changes = pl.read_csv(data / "size_change.csv").rename({"id": "patient_id"})
    size = (pl.col("l_size") * (1 + pl.col("size_change") / 100)).round(1)
    visits = changes.join(patients.select("patient_id", "l_size"), on="patient_id").select(
        "patient_id", day=(pl.col("time") * 7).round(1), sum=size
    )
    first = patients.select("patient_id", day=pl.lit(0.0), sum=pl.col("l_size").cast(pl.Float64))
    month = 30.4375
    tables = {
        "patients": patients.select("patient_id", age_years="age", sex=pl.col("sex").str.to_lowercase()),
        "sums": pl.concat([first, visits]).with_columns(measure=pl.lit("longest")),
        "survival": patients.select(
            "patient_id",
            os_days=(pl.col("os_time") * month).round(1),
            died=pl.col("os_status") > 0,
            PUBPFS_days=(pl.col("pfs_time") * month).round(1),
            PUBPFS_event=pl.col("pfs_status") > 0,
        ),
    }
    return _write(folder, "inspire", tables, "criteria = ['recist11', 'irecist']\n")


def write_tcga_lihc(folder: Path) -> Path:
    """TCGA-LIHC (Cell 2017, 169:1327), open access: mutations, survival, counts of 3,130 genes; no treatment.

    1. Patients of the Clinical Data Resource (Liu 2018); others, who have only mutations, are left out.
    2. OS → survival, PFI → the study's own endpoint PFI; the day of diagnosis stands for day 0.
    3. A sample is the barcode up to its vial (TCGA-XX-XXXX-01A). Expression: tumours (01), the first vial and
       portion of each patient. Genes by their Ensembl identifiers.
    4. Mutations as called; where there is no protein change, the class and position stand for it.
    """
    data = SHARED / "tcga_lihc"
    clinical = pl.read_parquet(data / "survival_cdr.parquet").rename({"patient": "patient_id"})
    known = clinical["patient_id"].to_list()
    counts = pl.read_parquet(data / "counts_3130_genes.parquet")
    tumours: dict[str, str] = {}
    for aliquot in sorted(name for name in counts.columns if name[13:15] == "01"):
        if aliquot[:12] in known:
            tumours.setdefault(aliquot[:12], aliquot)
    calls = pl.read_parquet(data / "mutations.parquet").filter(pl.col("patient").is_in(known))
    place = pl.format("{} {}:{}", "class", "chrom", "pos_hg38")
    calls = calls.select(
        sample_id="sample", gene="gene", change=pl.coalesce("protein_change", place), kind="class"
    ).unique(["sample_id", "gene", "change"], keep="first", maintain_order=True)
    samples = sorted({*calls["sample_id"], *(aliquot[:16] for aliquot in tumours.values())})
    tables = {
        "patients": clinical.select(
            "patient_id",
            age_years=pl.col("age_at_initial_pathologic_diagnosis").clip(0, 120),
            sex=pl.col("gender").str.to_lowercase(),
            stage="ajcc_pathologic_tumor_stage",
        ),
        "survival": clinical.select(
            "patient_id",
            os_days=pl.col("OS.time").clip(0),
            died=pl.col("OS") > 0,
            PFI_days=pl.col("PFI.time").clip(0),
            PFI_event=pl.col("PFI") > 0,
        ),
        "samples": pl.DataFrame({"sample_id": samples}).with_columns(
            patient_id=pl.col("sample_id").str.slice(0, 12), day=pl.lit(0.0), tissue=pl.lit("tumour")
        ),
        "alterations": calls,
    }
    _write(folder, "tcga-lihc", tables, "")
    counts.select(gene="ensembl", **{aliquot[:16]: aliquot for aliquot in tumours.values()}).write_parquet(
        folder / "expression.parquet"
    )
    return folder


def _sex() -> pl.Expr:
    return pl.col("sex").replace_strict({1: "male", 2: "female"}, default=None, return_dtype=pl.String)


def _bclc() -> pl.Expr:
    return pl.col("bclc").str.extract(r"Stage-?\s*([0ABCD])")


def _write(folder: Path, name: str, tables: dict[str, pl.DataFrame], more: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for table, frame in tables.items():
        frame.write_csv(folder / f"{table}.csv")
    head, _, policies = more.partition("[policies]")
    config = f'{head}[study]\nname = "{name}"\n'
    config += f"[policies]{policies}" if policies else ""
    (folder / "study.toml").write_text(config, encoding="utf-8")
    return folder
