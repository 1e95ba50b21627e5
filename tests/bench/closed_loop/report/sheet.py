"""What the bench's page needs beyond the look of driftwake's own reports: nine lines to tell apart, a dense matrix."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.report.style import SHEET as BASE

COLOURS = 9

# Neither '<' nor '&' may stand here: the page is well-formed XML too.
SHEET = (
    BASE
    + """
:root { --c6: #8a4b1f; --c7: #3b4cc0; --c8: #a3134f; }
@media (prefers-color-scheme: dark) { :root { --c6: #d9a27c; --c7: #9fb0ff; --c8: #ff85b0; } }
.c6 { --colour: var(--c6); --dash: 1 3; } .c7 { --colour: var(--c7); --dash: 8 3 2 3 2 3; }
.c8 { --colour: var(--c8); --dash: 5 2; }
main { max-width: 78rem; }
h2 { scroll-margin-top: .5rem; }
.line { stroke-width: 1.5; } .line.c0 { stroke-width: 2.8; }
.injected { fill: var(--soft); opacity: .11; stroke: none; } .injected-edge { stroke: var(--rule); stroke-width: 1; }
.happened { fill: var(--soft); font-style: italic; }
.onset { stroke: var(--ink); stroke-width: 1.2; } .onset.other { opacity: .45; }
.onset-name { fill: var(--ink); font-weight: 600; }
.lane { stroke: var(--rule); stroke-width: 1; } .promoted { stroke: var(--colour); stroke-width: 2; }
.plot { overflow: visible; } .cost { max-width: 27rem; }
.matrix table { font-size: .84rem; }
.matrix th.name { min-width: 11.5rem; } .matrix td.plain { padding-left: calc(.5rem + 3px); }
.matrix th, .matrix td { padding: .28rem .7rem .28rem 0; }
.matrix thead th { vertical-align: bottom; }
.matrix .one-bar { display: block; } .matrix .one-bar + .one-bar { margin-top: .25rem; }
.matrix td .bar-said { display: block; white-space: nowrap; }
.matrix td .bar-asked { display: block; font-size: .76rem; color: var(--soft); font-weight: 400;
  line-height: 1.3; }
.matrix td.held, .matrix td.missed, .matrix td.unmeasured { padding-left: .5rem; border-left: 3px solid; }
.matrix td.held { border-left-color: var(--good); }
.matrix td.missed { border-left-color: var(--bad); background: var(--bad-back); }
.matrix td.unmeasured { border-left: 3px dashed var(--unclear); background: var(--unclear-back); }
.matrix th.name a { text-decoration: none; color: inherit; display: block; }
.matrix th.name a:hover { text-decoration: underline; }
.matrix th.name .small { font-weight: 400; display: block; }
.best { font-weight: 700; }
.scenario { background: var(--panel); border: 1px solid var(--rule); border-radius: 4px; padding: .9rem 1.1rem .5rem;
  margin: 1rem 0; scroll-margin-top: .5rem; }
.scenario header { display: flex; flex-wrap: wrap; gap: .1rem .9rem; align-items: baseline; }
.scenario header p { margin: 0; flex-basis: 100%; max-width: none; }
.scenario ul.legend { gap: 0 1.1rem; font-size: .84rem; margin: .6rem 0 0; }
.scenario figure { margin: .3rem 0; }
.scenario table { font-size: .86rem; } .scenario th, .scenario td { padding-top: .2rem; padding-bottom: .2rem; }
.pair-of-tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 0 2rem; }
@media screen and (max-width: 42rem) {
  .matrix td.held, .matrix td.missed, .matrix td.unmeasured { padding: .15rem .5rem;
    border-left-width: 3px; border-left-style: solid; margin: .15rem 0; }
  .matrix td.held { border-left-color: var(--good); } .matrix td.missed { border-left-color: var(--bad); }
  .matrix td.unmeasured { border-left: 3px dashed var(--unclear); }
  .matrix td .bar-said, .matrix td .bar-asked { display: inline; white-space: normal; }
  .matrix td.number, .scenario td.number { display: inline-block; margin-right: 1rem; }
  .matrix td.number .bar-asked::before { content: "("; } .matrix td.number .bar-asked::after { content: ")"; }
  .scenario { padding: .8rem .75rem .4rem; } }
"""
)


def colour_of(policy: str, places: Mapping[str, int]) -> str:
    """Return the class that colours and dashes a policy's marks, the same over the whole page. `places` numbers the policies."""
    return f"c{places.get(policy, 0) % COLOURS}"
