"""Where accounts stand: value at stake, severity, quadrant, tier, segment, health, and who moved. No clock, no database.

| file | what it decides |
| --- | --- |
| settings | what a company may choose |
| inputs | what a table of features and the scores of a night must hold |
| value | predicted value, value at stake, severity |
| potential | how far an account could grow, whatever it brings today |
| hysteresis | cuts that are crossed only by more than a margin |
| matrix, tiers, segments | the three schemes, and why an account stands where it does |
| health | the health score in three parts |
| moves | who stands elsewhere than the night before |
| night, stand | all of it together |
"""
