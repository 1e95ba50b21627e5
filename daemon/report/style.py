"""The page's look: light and dark, wide and narrow, on paper. Slot colours are safe for colour-blind readers (Okabe-Ito)."""

# Neither '<' nor '&' may stand here: the page is well-formed XML too.
SHEET = """
:root { color-scheme: light dark;
  --paper: #fbfbf9; --panel: #ffffff; --ink: #1b2026; --soft: #59626d; --rule: #dcdfda; --mark: #eef0ec;
  --good: #0a6b4b; --bad: #a62b23; --unclear: #7a5a00; --good-back: #e6f3ed; --bad-back: #fbeae8; --unclear-back: #f7f0dc;
  --c0: #0067b0; --c1: #c44e00; --c2: #00815f; --c3: #a1478a; --c4: #6b5d00; --c5: #4d5a68; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #13171b; --panel: #1a1f24; --ink: #e7e9ea; --soft: #a3adb7; --rule: #343b42; --mark: #242a30;
  --good: #5fd0a4; --bad: #ff8f85; --unclear: #e3c060; --good-back: #16302a; --bad-back: #3a1f1f; --unclear-back: #322b17;
  --c0: #5bb8f5; --c1: #f79a4b; --c2: #45cba4; --c3: #e39bd0; --c4: #e5d75f; --c5: #b4bec8; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 0; }
h4 { font-size: .95rem; margin: 1.4rem 0 .35rem; }
p { margin: .4rem 0; max-width: 46rem; }
h1, h2, h3, p, li, dd, td.wide { overflow-wrap: anywhere; }
td, th { overflow-wrap: break-word; }
a { color: var(--c0); }
code { font: .88em ui-monospace, "SFMono-Regular", Menlo, Consolas, "Liberation Mono", monospace; }
.soft { color: var(--soft); }
.small { font-size: .85rem; }
.outcome { border-left: 6px solid; border-radius: 2px; padding: .7rem 1rem; margin: 1rem 0; }
.outcome strong { font-size: 1.1rem; }
.outcome ul { margin: .35rem 0 0; padding-left: 1.2rem; }
.outcome.good { border-color: var(--good); background: var(--good-back); }
.outcome.bad { border-color: var(--bad); background: var(--bad-back); }
dl.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .1rem 1.25rem; margin: 1rem 0 0; }
dl.facts div { border-top: 1px solid var(--rule); padding: .4rem 0; }
dl.facts dt { font-size: .8rem; color: var(--soft); }
dl.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; margin: .35rem 0 .75rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .85rem; padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .32rem .9rem .32rem 0; border-bottom: 1px solid var(--rule); }
thead th { font-size: .8rem; font-weight: 600; color: var(--soft); vertical-align: bottom; border-bottom-color: var(--soft); }
tbody th { font-weight: 600; }
tfoot th, tfoot td { border-bottom: 0; font-weight: 600; }
th.number, td.number { text-align: right; white-space: nowrap; padding-right: 1.25rem; }
.nowrap { white-space: nowrap; }
td.wide { min-width: 14rem; }
td.drawn, th.drawn { width: 13rem; min-width: 9rem; vertical-align: middle; }
.tag { display: inline-block; border: 1px solid currentColor; border-radius: 3px; padding: 0 .4em; font-size: .8rem;
  white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .unclear { color: var(--unclear); }
.outcome.good, .outcome.bad { color: inherit; }
.outcome.good strong { color: var(--good); } .outcome.bad strong { color: var(--bad); }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; padding: 0; margin: .5rem 0;
  font-size: .9rem; }
ul.legend svg { width: 2.2rem; height: .8rem; vertical-align: baseline; margin-right: .35rem; }
figure { margin: .75rem 0; }
figcaption { font-size: .85rem; color: var(--soft); }
.plot { display: block; width: 100%; height: auto;
  font: 12px system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
.moved, .square { max-width: 23rem; }
.narrow { display: none; }
.cell { display: block; width: 100%; max-width: 12.5rem; height: auto;
  font: 11px system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
.axis { fill: var(--soft); }
.grid { stroke: var(--rule); } .tick { stroke: var(--soft); } .zero { stroke: var(--soft); stroke-dasharray: 3 2; }
.c0 { --colour: var(--c0); } .c1 { --colour: var(--c1); --dash: 7 3; } .c2 { --colour: var(--c2); --dash: 2 3; }
.c3 { --colour: var(--c3); --dash: 9 3 2 3; } .c4 { --colour: var(--c4); --dash: 4 4; }
.c5 { --colour: var(--c5); --dash: 12 4; }
.good { --colour: var(--good); } .bad { --colour: var(--bad); } .unclear { --colour: var(--unclear); }
.line { fill: none; stroke: var(--colour); stroke-width: 1.8; stroke-dasharray: var(--dash, none); stroke-linejoin: round; }
.line.c0 { stroke-width: 2.6; }
.band { fill: var(--colour); opacity: .11; }
.dot { fill: var(--colour); } .named, .swapped { fill: var(--colour); font-weight: 600; }
.swap { stroke: var(--colour); stroke-width: 1.2; stroke-dasharray: 2 2; } .foot { stroke: var(--colour); stroke-width: 2; }
.incident-bar { fill: var(--soft); opacity: .85; } .incident-bar.refused { fill: var(--bad); opacity: 1; }
.incident-number { fill: var(--paper); font-size: 11px; font-weight: 600; }
.whisker { stroke: var(--colour); stroke-width: 2; } .point { fill: var(--colour); }
.bar { fill: var(--soft); opacity: .55; } .bar.strong { fill: var(--c0); opacity: 1; }
.way { stroke: var(--soft); stroke-width: 1.5; } .pair { fill: var(--c0); opacity: .65; }
.before { fill: var(--panel); stroke: var(--soft); stroke-width: 1.8; }
.after { fill: var(--c1); stroke: var(--c1); stroke-width: 1.8; }
.incident { background: var(--panel); border: 1px solid var(--rule); border-radius: 4px; padding: 1rem 1.1rem .6rem;
  margin: 1rem 0; }
.incident.refused { border: 2px solid var(--bad); }
.incident header p { margin: .2rem 0 0; }
.evidence { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: .25rem 1.75rem; }
ol.course { list-style: none; margin: .3rem 0; padding: 0; font-size: .9rem; }
ol.course li { display: grid; grid-template-columns: 10.5rem 1fr; gap: 0 .75rem; padding: .2rem 0;
  border-bottom: 1px solid var(--rule); }
ol.course time { color: var(--soft); font-variant-numeric: tabular-nums; }
details { margin: .35rem 0; } summary { cursor: pointer; font-size: .88rem; color: var(--soft); }
tr.chosen th, tr.chosen td { background: var(--mark); }
@media screen and (max-width: 42rem) {
  body { font-size: 15px; } main { padding: 1rem .9rem 3rem; }
  .wide-only { display: none; } .narrow { display: block; }
  .incident { padding: .8rem .75rem .4rem; } ol.course li { grid-template-columns: 1fr; }
  .scroll { overflow: visible; } table, tbody, tfoot, tr, th, td, caption { display: block; width: auto; }
  thead { display: none; }
  tr { border-bottom: 1px solid var(--soft); padding: .35rem 0; }
  th, td, td.number { border: 0; padding: .08rem 0; text-align: left; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); } td.number { white-space: normal; }
  td.drawn { width: auto; } .cell { max-width: 22rem; } td br { display: none; } td:empty { display: none; }
  td.number span.small::before { content: " ("; } td.number span.small::after { content: ")"; } }
@media print {
  :root { color-scheme: light; } body { font-size: 10pt; background: none; } main { max-width: none; padding: 0; }
  details::details-content { content-visibility: visible; display: block; height: auto; } .scroll { overflow: visible; }
  .incident { border-color: #999999; } figure, tr, .outcome { break-inside: avoid; } h2, h3, h4 { break-after: avoid; } }
"""
