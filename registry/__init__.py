"""The registered model: what training writes and serving loads. MLflow is known here alone."""
