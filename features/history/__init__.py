"""What is stored: the streams, the Delta tables that hold them, identities, erasure, retention, status."""
