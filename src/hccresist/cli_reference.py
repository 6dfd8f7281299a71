"""Commands ``reference build`` and ``reference list``: what scores of tumours are held against."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from hccresist.cli_run import Flag, GeneSets, Json, Quiet, StudyPath, read_request, told_as_usage
from hccresist.failures import FINE

Name = Annotated[str, Parameter(name="--name")]
Scale = Annotated[Literal["counts", "linear", "log", "centred"] | None, Parameter(show_default=False)]

reference = App(
    name="reference",
    help="Freeze the expression of a cohort as a reference, or list the references there are.",
    help_format="plaintext",
    sort_key=7,
)


@reference.command(sort_key=1)
def build(
    study: StudyPath,
    /,
    *,
    name: Name,
    platform: str = "",
    gmt: GeneSets = None,
    scale: Scale = None,
    replace: Flag = False,
    quiet: Quiet = False,
) -> int:
    """Freeze the expression of a study as a reference.

    Kept are mean and spread of each gene and the scores of each gene set, sorted; no identifier and
    no profile of a tumour. One tumour sample a patient is taken, the first by day and name.

    Parameters
    ----------
    study
        Study folder with a table of expression.
    name
        Name of the reference: letters, digits, point, dash and underscore.
    platform
        Platform in your words; a study that names another one gets no percentiles.
    gmt
        File with gene sets of your own, repeatable.
    scale
        Scale of the values; found from them if not given.
    replace
        Replace a reference of the same name.
    quiet
        Print errors only.
    """
    from hccresist import screen  # noqa: PLC0415
    from hccresist.explain.matrix import prepare_expression  # noqa: PLC0415
    from hccresist.explain.reference import (  # noqa: PLC0415
        build_reference,
        check_free,
        choose_tumours,
        save_reference,
    )
    from hccresist.steps import read_gene_sets  # noqa: PLC0415

    with told_as_usage():
        check_free(name, overwrite=replace)
    signatures = read_gene_sets(gmt or [])
    source = read_request(study, None)
    prepared = prepare_expression(source, scale=scale)
    matrix, notices = choose_tumours(source, prepared)
    if not quiet:
        for notice in (*prepared.notices, *notices):
            screen.err().print(f"  {notice}", markup=False)
    made = build_reference(matrix, signatures, name=name, platform=platform)
    folder = save_reference(made, overwrite=replace)
    if not quiet:
        held = sum(method == "reference_z" for method, _ in made.scores)
        size = f"{made.tumours} tumours, {len(made.genes)} genes, scores of {held} gene sets"
        screen.out().print(f"{name}: {size}, in {folder}", markup=False)
        if not made.gives_percentiles:
            screen.out().print("  fewer than 100 tumours: z, but no percentiles", markup=False)
    return FINE


@reference.command(name="list", sort_key=2)
def list_all(*, json: Json = False) -> int:
    """List the references there are.

    Parameters
    ----------
    json
        Print JSON.
    """
    from hccresist import screen  # noqa: PLC0415
    from hccresist.explain.reference import list_references, reference_home  # noqa: PLC0415

    rows = list_references().to_dicts()
    if json:
        screen.print_json(rows)
        return FINE
    screen.out().print(f"{len(rows)} in {reference_home()}", markup=False)
    for row in rows:
        platform = f", {row['platform']}" if row["platform"] else ""
        size = "" if row["tumours"] is None else f"{row['tumours']} tumours, {row['genes']} genes, "
        screen.out().print(f"  {row['name']}: {size}{row['scale']}{platform}", markup=False)
    return FINE
