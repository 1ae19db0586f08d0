"""How the report looks: light or dark as the reader's machine is set, and fit to print."""

STYLE = """\
:root { color-scheme: light dark; --page: #fff; --ink: #1b2430; --soft: #5b6675; --rule: #e1e5ea; --panel: #f6f8fa; --main: #1f6fd0; --quiet: #9db4cf; --good: #14743f; --bad: #b3261e; --limit: #b0560f; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #12161c; --ink: #e4e9ef; --soft: #9aa6b4; --rule: #2b333d; --panel: #1a2028; --main: #6aa9ff; --quiet: #46617f; --good: #5cc98b; --bad: #ff8a80; --limit: #f0a35e; } figure.plot svg { filter: invert(0.92) hue-rotate(180deg); } figure.plot svg > rect { fill: transparent; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 0.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.4rem 0 0.3rem; }
p { margin: 0.5rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.soft, figcaption { color: var(--soft); font-size: 0.9rem; }
.unknown { color: var(--soft); font-style: italic; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(12.5rem, 1fr)); gap: 0.75rem; margin: 1.25rem 0 0; padding: 0; }
.facts div { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: 0.75rem 0.9rem; min-width: 0; }
.facts dt { color: var(--soft); font-size: 0.85rem; }
.facts dd { margin: 0.15rem 0 0; font-size: 1.02rem; font-weight: 600; overflow-wrap: anywhere; }
.facts small { display: block; color: var(--soft); font-weight: 400; font-size: 0.85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.87rem; margin: 0.5rem 0; }
th, td { text-align: left; padding: 0.35rem 0.8rem 0.35rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; overflow-wrap: break-word; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.id { white-space: nowrap; }
figure { margin: 1rem 0; }
figure svg { width: 100%; height: auto; max-width: 46rem; display: block; }
.chart text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
.chart text.strong { font-weight: 700; }
.chart .rule { stroke: var(--rule); }
.chart .dot, .chart .bar { fill: var(--quiet); }
.chart .dot.strong, .chart .bar.strong { fill: var(--main); }
.chart .whisker { stroke: var(--quiet); stroke-width: 3; }
.chart .whisker.strong { stroke: var(--main); }
.chart .range { stroke: var(--ink); stroke-width: 1.5; }
.chart .limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 5 4; }
.chart text.limit-name { fill: var(--limit); font-size: 12px; }
@media print { :root { color-scheme: light; } table { font-size: 8pt; } body { max-width: none; padding: 0; font-size: 11pt; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } .wide { overflow: visible; } }
"""
