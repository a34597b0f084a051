"""Feature table and what happened next in, a registered model out.

| folder or file | what is in it |
| --- | --- |
| `train.py`, `card.py` | one training from history to registered model, and what it writes on the model's card |
| `data/` | targets and their labels, splits by time, the dataset, coverage of the history, the leakage audit |
| `models/` | the rungs of the ladder, from rules to trees; calibration, tuning, the choice among rungs |
| `metrics/` | metrics of probabilities |
| `evaluation/` | what a model's answers are worth: comparison, reliability, slices, profit, grade, drivers |
| `backtest/` | a registered model put back to past moments |
| `promotion/` | challenger against champion: the gate and the decision |
| `reports/` | what people read of a model |
| `experiments/` | the effect of a playbook from its randomised control |
| `uplift/` | which accounts a treatment helps more |
"""

__all__ = [
    "backtest",
    "card",
    "data",
    "evaluation",
    "experiments",
    "metrics",
    "models",
    "promotion",
    "reports",
    "train",
    "uplift",
]
