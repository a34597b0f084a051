"""Interventions: what is decided for whom, kept to the minute, and proven by control.

    settings      what a company declares: roles, playbooks, rules, SLAs, calendar, channels, limits
    states        the states of an intervention, and which leads to which
    lifecycle     the only code that moves an intervention from state to state
    experiments   the lot: treatment, control, holdout
    deadlines     due moments as rows, and the sweep that finds the missed ones
    outbox        what must leave, written in the transaction that decided it

Every change is an act of the audit log: serving/database/audit_log.py.
"""
