"""Interventions: a company declares playbooks, a decision chooses accounts, people act, control groups show the effect.

declare/            the company's settings
    settings            roles, playbooks, rules, SLAs, calendar, channels, limits
    columns             the columns of conditions, and their rows
    expressions         conditions: SQL over these columns, checked and evaluated
    calendar            working time
    library             the ready library of playbooks, rules and SLAs
    inconsistent        contradictions within the settings
decide/             scores → decision; pure
    candidates          account × playbook, with expected gain and cost; warnings of rules
    effects             the assumed or learnt effect of a playbook
    experiments         randomised arms: treatment, control, holdout
    resources           capacity of roles and owners
    policy              the plan of the most net value
    allocation          prices of capacity and budget (Lagrangian relaxation)
    optimizer           accounts to scarce places, exactly
    decisions           the decision: interventions, control, warnings, accounts not chosen
    not_chosen          why a candidate was not chosen
    intervention_reason the reason of an intervention, in words
    earlier_decisions   earlier decisions, as a new decision reads them
    outcomes            arms and outcomes, for the measurement of effects
run/                interventions in the database
    write_decisions     a decision → rows
    lifecycle           the only code that moves an intervention from state to state
    deadlines           due moments as rows, and the sweep of missed ones
    triggers            posted events → interventions of SLAs
    listing             filtered pages of interventions; one with its details
    outbox              outgoing messages, written in the transaction of the decision
deliver/            the outbox → systems and people
    dispatch            the dispatcher: every channel on its own
    leases              due messages, leased to one dispatcher at a time
    attempt             the result of an attempt, and the moment of the next one
    webhooks            outgoing webhooks
    webhook_signatures  signatures of outgoing webhooks, verification of incoming ones
    status_reports      incoming webhooks: the status that another system reports
    people              mail and chat, through Apprise
    chat_bots           bots of DingTalk and WeCom
    message_texts       the texts of messages to people
    channel_rate_limit  messages per minute of a channel
    addresses           the addresses that a webhook may connect to
    secrets             secrets from the environment
    outbox_admin        the outbox for operators: list, replay, reopen

Every change is an act of the audit log: serving/database/audit_log.py.
"""
