"""The plot of docs/performance.md: requests/s on a logarithmic scale, drawn by hand as SVG."""

import math

WIDTH, LEFT, RIGHT, ROW, TOP = 760, 170, 90, 44, 56
COLOURS = {"peer": "#8a94a6", "alternative": "#5f9ea8", "ours": "#0b7285", "limit": "#b8d8dd"}
SHADES = {"c8": 1.0, "c64": 0.6}


def svg(results: dict) -> str:
    servers = sorted(results["servers"].values(), key=lambda server: server["c8"]["per_second"]["median"])
    height = TOP + ROW * len(servers) + 34
    largest = max(server[level]["per_second"]["median"] for server in servers for level in SHADES)
    decades = range(1, math.ceil(math.log10(largest)) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        '     font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        (
            f'<text x="16" y="24" font-size="15" font-weight="600">Requests a second, one JSON row of 20 columns, '
            f"{results['machine']['cores']} shared cores, {results['date']}</text>"
        ),
        '<text x="16" y="42" fill="#555">upper bar 8 connections, lower bar 64; logarithmic scale; medians</text>',
        *(grid(decade, decades[-1], height) for decade in decades),
        *(bars(server, TOP + ROW * place, decades[-1]) for place, server in enumerate(servers)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def across(value: float, last: int) -> float:
    """The length of a bar: decades from 10 up."""
    return (WIDTH - LEFT - RIGHT) * max(0.0, math.log10(max(value, 1)) - 1) / (last - 1)


def grid(decade: int, last: int, height: int) -> str:
    x = LEFT + across(10**decade, last)
    line = f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{height - 26}" stroke="#ddd"/>'
    return f'{line}<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" fill="#555">{10**decade:,}</text>'


def bars(server: dict, y: int, last: int) -> str:
    parts = [f'<text x="{LEFT - 10}" y="{y + 25}" text-anchor="end">{server["name"]}</text>']
    for place, (level, shade) in enumerate(SHADES.items()):
        value, top = server[level]["per_second"]["median"], y + 5 + 17 * place
        width = across(value, last)
        box = f'x="{LEFT}" y="{top}" width="{width:.1f}" height="15"'
        parts.append(f'<rect {box} fill="{COLOURS[server["kind"]]}" fill-opacity="{shade}"/>')
        parts.append(f'<text x="{LEFT + width + 6:.1f}" y="{top + 12}" font-size="12">{value:,.0f}</text>')
    return "".join(parts)
