"""What a company declares of interventions: playbooks, rules, SLAs, conditions, calendar; and what is inconsistent in it."""
