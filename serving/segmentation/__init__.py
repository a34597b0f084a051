"""The segmentation of accounts: quadrant, tier, lifecycle segment and health, and every move between two nights. No clock, no database.

| file | what it decides |
| --- | --- |
| settings | what a company may choose |
| inputs | what a table of features and the scores of a night must hold |
| potential | how far an account could grow, whatever it brings today |
| hysteresis | cuts that are crossed only by more than a margin |
| matrix, tiers, segments | the three schemes, and why an account belongs where it does |
| health | the health score in three parts |
| moves | each account whose segment differs from that of the previous night |
| figures, assign | all of it together |
"""
