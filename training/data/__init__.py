"""What a model learns from: targets, split dates, the dataset, and the checks before anything is fitted."""
