"""The reference pages in docs/, written from the declarations."""
