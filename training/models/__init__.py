"""The ladder of models, their calibration and their tuning."""
