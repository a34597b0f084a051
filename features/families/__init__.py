"""The declared features, a family a file; beside them the features that populations and segmentation need."""
