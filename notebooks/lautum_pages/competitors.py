"""What competes in the recorded comparison, by the names of notebooks 00 and 07."""

import pandas as pd

from lautum_utils import Experiment, Results

BASELINE_NAMES = {
    "pixels": "pixels, no network",
    "components": "principal components",
    "untrained_features": "untrained features",
    "from_scratch": "from scratch",
    "earlier_layer": "the control's earlier layer",
}
NAMES = {
    "standard": "standard transfer",
    "lautum": "Lautum",
    "mutual_information": "mutual information, minimised",
    "mutual_information_maximised": "mutual information, maximised",
    "information_maximisation": "information maximisation",
    "label_lautum": "label Lautum",
    "lautum_between_views": "Lautum between views",
    "mutual_information_between_views": "mutual information between views",
    "vicreg": "VICReg",
    "mk_mmd": "Mk-MMD",
    "deep_coral": "Deep CORAL",
    "task_nuisance_filtration": "task nuisance filtration",
    "multiple_layer_normalization": "multiple layer normalization",
    "temporal_ensembling": "Temporal Ensembling",
    "adaptive_reinforcement": "adaptive reinforcement",
    "adaptive_knowledge_consistency": "AKC",
    "adaptive_representation_consistency": "ARC",
    "contrastive_regularization": "contrastive regularization",
    **BASELINE_NAMES,
}
CAREFUL = ", careful"
# Who is worth training has to beat these.
SIMPLE = (*BASELINE_NAMES.values(), BASELINE_NAMES["from_scratch"] + CAREFUL)
CONTROLS = (NAMES["standard"], NAMES["standard"] + CAREFUL)
FIELDS = ["target", "severity", "labels", "protocol"]
USUAL = ("layer", "inputs", "ridge", "n_components", "decay")


def named_runs(recorded: Results, base: Experiment) -> pd.DataFrame:
    """A row a run with the USUAL settings of base; its name (with "(2)": the
    method of stage two; ", careful": fine-tuned by that recipe), and the weight of that method."""
    runs = recorded.where(**{name: getattr(base, name) for name in USUAL}).table
    in_two = runs.stage_two != "standard"
    name = runs.method.map(NAMES).where(~in_two, runs.stage_two.map(NAMES) + " (2)")
    weight = runs.strength.where(~in_two, runs.stage_two_strength)
    return runs.assign(
        name=name + runs.recipe.map({"plain": "", "careful": CAREFUL}), weight=weight
    )


def one_method(runs: pd.DataFrame) -> pd.DataFrame:
    """Those with a method in one stage at most."""
    return runs[(runs.method == "standard") | (runs.stage_two == "standard")]


def by_seed(runs: pd.DataFrame, names: list[str], column: str = "test_accuracy") -> pd.DataFrame:
    """A row for each combination of the named columns, a column for each seed."""
    return runs.set_index([*names, "seed"])[column].unstack("seed").sort_index()


def chosen_accuracy(runs: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy by seed: a row for each name and place, with the weight that validation data
    picks there. Without two methods together."""
    runs = one_method(runs)
    key = ["name", *FIELDS, "weight"]
    validation = by_seed(runs, key, "validation_accuracy").mean(axis=1)
    best = validation.groupby(level=key[:-1]).idxmax()
    return by_seed(runs, key).loc[best].droplevel("weight")
