"""A company whose truth is known: simulated day by day, exported as its systems would, its future told by chance itself.

settings       every parameter, its meaning, unit and default
randomness     chance as a function of who, when and what for
world          seasons and shocks that industries share
accounts       who the accounts are, and how they stand on their first day
life           what happens to an account on a day, and what that does to its state (compiled)
lives          the recorded past of a block of accounts
coefficients   the settings as compiled code takes them
exports        the past → rows of each system;  reporting: late, twice, wrong;  writing: files
futures        what comes next, again and again: true probabilities and effects (compiled)
allocation     who should get what, when every effect is known
truth          all that as tables;  truth_tables: reading them
company        from settings to folders
opened         a model beside the truth
causes, page   the causal graph, and docs/simulation.md
"""
