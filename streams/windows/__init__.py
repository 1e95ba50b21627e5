"""Window features: online state (`online`), offline columns (`offline`) and SQL (`sql`) that give the same numbers.

Serving reads the state, training the columns; SQL is the second opinion about both. What all hold to, beyond the definition in
`streams.contracts.features.Window`:

- *Ties.* Facts at one time all count or all don't; a fact at exactly the row's upper bound `t - d` doesn't count, one at
  exactly the lower bound `t - d - r` does. A row never counts itself, because `d >= 0` and the upper bound is open.
- *Missing keys.* A key is missing when any of its columns is null or not finite. A row with a missing key has missing
  values; a fact with a missing key belongs to no key and is left out (a window without keys still counts it).
- *Missing values.* Null, NaN, infinite, or larger than `LARGEST_VALUE` in magnitude: the fact counts for `count` and `since`,
  and is left out of the rest. What is smaller than `SMALLEST_VALUE` in magnitude is 0. The bounds make exact sums possible.
- *Times* outside [0, `END_MS`) (years 1970 to 2109) belong to no window.
- *Late facts* count from when they arrive (online) and as if they had been there (offline): equal for every row that is read
  after the fact arrived. The allowed skew is there to make that so; what comes later than it shows as a parity finding.
- *Corrections* of a label are facts of their own, from when they were known; the earlier one stays a fact.
- *Suspect rows* are not valid requests: who feeds facts leaves flagged rows out, everywhere.
- Sums are exact, so they don't depend on the order of facts, and a huge value leaves no trace once it is outside. SQL, where it
  rounds, agrees as far as the magnitudes that were added up allow. Standard deviations and trends are rounded on all sides.
"""
