"""The registered model: what training writes and serving loads. MLflow is known here alone.

| file | what is in it |
| --- | --- |
| `card.py` | the typed card of a model, and of a playbook's learnt effect |
| `target_kinds.py` | the kinds of target: which are risks, which mean leaving, which are growth |
| `store.py`, `store_lock.py` | MLflow opened in one way; one writer at a time in a local store |
| `writer.py` | a run logged and registered, with its alias |
| `versions.py` | the versions of a model, listed and read for a training, a backtest or a promotion |
| `loader.py` | a model for a service: found by alias, checked against the catalog, proven on a row |
| `promotion_log.py` | the decisions about versions, and the line of champions |
| `registered_model.py`, `effect_model.py` | the code that travels with a model, and with an effect; `model_code.py` imports the first |
| `errors.py` | what can go wrong |
"""

__all__ = [
    "card",
    "errors",
    "loader",
    "model_code",
    "promotion_log",
    "store",
    "target_kinds",
    "versions",
    "writer",
]
