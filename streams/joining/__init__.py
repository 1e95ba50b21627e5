"""Stage: prediction and label to outcome.

Two steps. `rekey` takes each partition of predictions and of labels and writes every record, its bytes unchanged, to an
internal topic whose partition is the CRC-32 of the prediction id: users' label topics have other keys, counts and
partitioners. `match` takes one internal partition of both and joins.

With t the prediction's event time, l the label's time (when it became known), h the `label_horizon` and e the `label_lead`:

- *Joined*: the label belongs to the prediction if t - e <= l <= t + h. The outcome is written as soon as both are there, in
  whichever order they came. The lead allows clocks that differ and labels that carry a date without a time.
- *Late*: l > t + h. Counted (when the watermark passes l + e), never joined: what a cohort says is final after its horizon.
- *Never*: a null label says that the truth will never be known: the prediction stops waiting. What comes later for it, or a
  null for one that is labelled already, is counted as repeated.
- *Repeated*: a second label with the same value, or with another value and no later time. Counted, nothing else.
- *Corrected*: another value at a later time. Written as a new outcome with the next `revision`; at most `most_revisions`.
- *Unknown*: until the watermark passed l + e no prediction came that the label belongs to. Counted.
- *Duplicate prediction id*: the first wins, others are counted. An id may be used again after t + h + e; the earlier use then
  stops waiting.
- *Unlabelled*: the watermark passed t + h + e and no label came. Counted, forgotten.
- *Shed*: more predictions or labels wait than the caps allow: the oldest leave, counted.
- *Rejected*: a label that can't be read goes to quarantine with its reason and position.

So every prediction is counted once as joined, never, unlabelled, duplicate or shed, or it waits; every label once as joined,
corrected, repeated, never, late, unknown or shed, or it waits. The counts are in the state record and survive restarts.

After a restart memory is folded again from the oldest record that is still remembered. What makes that exact: a
prediction is remembered until the watermark has passed every time that a label of it can have, plus the lead. So a label whose
prediction was forgotten is itself too old to wait. All of it goes by the times in the records, not by what was read first.
Caps may cut that short; then counts, and nothing else, are approximate.
"""
