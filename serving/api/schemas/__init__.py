"""The requests and answers of the HTTP resources other than scores."""
