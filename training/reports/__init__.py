"""What people read of a model: the report page, its plots, the model card."""
