"""A company whose truth is known: simulated day by day, exported as its systems would, with true probabilities and effects.

world/settings       every parameter, its meaning, unit and default
world/randomness     chance as a function of account, day and purpose
world/world          seasons and shocks that industries share
world/accounts       the accounts, and their state on the first day
world/dynamics       the events of an account on a day, and their effect on its state (compiled)
world/histories      the recorded past of a block of accounts
world/projections    what comes next, simulated many times: true probabilities and effects (compiled)
world/coefficients   the settings as compiled code takes them
exports/             the past → rows of each system; late, repeated and wrong entries; files
truth/               the truth as tables, the best allocation, and reading the tables
company              from settings to folders
months               a company that decides month by month, and learns or not
truth_report         a model beside the truth
causes               the causal graph
"""

__all__ = ["causes", "company", "exports", "months", "truth", "truth_report", "world"]
