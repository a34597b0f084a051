"""History in, one row of features per (account_id, as_of) out."""
