import { createHash } from "node:crypto";
import { RECONNECT, SERVER_PATHS } from "../../../contract/server.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: #16202c; --dim: #5d6b7a; --page: #f4f6f8; --card: #fff; --line: #dde3e9; --accent: #2563c9; --bad: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf2; --dim: #93a1b0; --page: #10161d; --card: #18212b; --line: #2a3642; --accent: #6ea3f5; --bad: #f0796b; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem clamp(1rem, 5vw, 4rem); background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: baseline; margin-bottom: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0; }
#about, #state { color: var(--dim); }
#state { margin-left: auto; }
#state::before { content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .45em; border-radius: 50%; background: var(--bad); }
#state.live::before { background: #2f9e5b; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; }
h2 { margin: 0 0 .3rem; font-size: .8rem; font-weight: 600; color: var(--dim); }
output { font-size: 1.7rem; font-weight: 600; font-variant-numeric: tabular-nums; }
small { display: block; color: var(--dim); font-variant-numeric: tabular-nums; min-height: 1.45em; }
.wide { grid-column: 1 / -1; }
#lists { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); grid-column: 1 / -1; align-items: start; }
svg { display: block; width: 100%; height: 7rem; margin-top: .6rem; }
polyline { fill: none; stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
table { width: 100%; border-collapse: collapse; margin-top: .4rem; font-variant-numeric: tabular-nums; }
td { padding: .3rem 0; border-top: 1px solid var(--line); }
td:last-child { text-align: right; }
`;

const SCRIPT = `
const POINTS = 60;
const at = (id) => document.getElementById(id);
const put = (id, text) => { at(id).textContent = text; };
const ms = (seconds) => seconds === null ? "\\u2013" : seconds < 1 ? (seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0) + " ms" : seconds.toFixed(2) + " s";
const span = (s) => s < 90 ? Math.round(s) + " s" : s < 5400 ? Math.round(s / 60) + " min" : (s / 3600).toFixed(1) + " h";
const rates = [];
let last;
function rows(id, entries) {
  at(id).replaceChildren(...entries.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return row;
  }));
}
function show(m) {
  const now = performance.now();
  const seconds = last ? (now - last.at) / 1000 : 0;
  if (seconds > 0.2) {
    rates.push(Math.max(0, m.requests.total - last.total) / seconds);
    if (rates.length > POINTS) rates.shift();
    put("rate", rates.at(-1).toFixed(1) + "/s");
    const top = Math.max(1, ...rates);
    at("line").setAttribute("points", rates.map((r, i) => 600 - ((rates.length - 1 - i) * 600) / (POINTS - 1) + "," + (98 - (r / top) * 94)).join(" "));
    put("top", "highest " + top.toFixed(1) + "/s in the last " + Math.round(rates.length * seconds) + " s");
  }
  last = { at: now, total: m.requests.total };
  put("about", "release " + m.release + (m.slot ? " \\u00b7 " + m.slot : ""));
  put("total", m.requests.total.toLocaleString("en"));
  const share = m.requests.total ? (100 * m.requests.errors) / m.requests.total : 0;
  put("errors", m.requests.errors.toLocaleString("en") + " errors (" + share.toFixed(2) + " %)");
  put("p95", ms(m.latency.p95));
  put("quantiles", "p50 " + ms(m.latency.p50) + " \\u00b7 p99 " + ms(m.latency.p99));
  put("sockets", m.webSockets);
  put("pings", "ping p50 " + ms(m.webSocketLatency.p50) + " \\u00b7 p99 " + ms(m.webSocketLatency.p99));
  put("sessions", m.mcpSessions);
  put("memory", (m.memoryBytes / 1048576).toFixed(0) + " MiB");
  put("uptime", "up " + span(m.uptimeSeconds));
  rows("routes", Object.entries(m.requests.byRoute).sort((a, b) => b[1] - a[1]).map(([r, n]) => [r, n.toLocaleString("en")]));
  rows("providers", Object.entries(m.providers).map(([p, n]) => [p, n.ok + " answered, " + n.error + " failed"]));
}
let wait = ${RECONNECT.firstMs};
function connect() {
  const socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "${SERVER_PATHS.dashboardWebSocket}");
  socket.onopen = () => { wait = ${RECONNECT.firstMs}; at("state").className = "live"; put("state", "live"); };
  socket.onmessage = ({ data }) => show(JSON.parse(data));
  socket.onclose = () => {
    at("state").className = "";
    put("state", "connecting again");
    last = undefined;
    setTimeout(connect, Math.random() * wait);
    wait = Math.min(wait * 2, ${RECONNECT.mostMs});
  };
}
connect();
`;

const sha256 = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Content-Security-Policy of {@link DASHBOARD_PAGE}: its own style and script, its own WebSocket, nothing else. */
export const DASHBOARD_POLICY = [
  "default-src 'none'",
  `style-src ${sha256(STYLE)}`,
  `script-src ${sha256(SCRIPT)}`,
  "connect-src 'self' ws: wss:",
  "img-src data:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The dashboard: one page without any other file, fed by the dashboard's WebSocket. */
export const DASHBOARD_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>EX-AI server</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header><h1>EX-AI server</h1><span id="about"></span><span id="state" role="status">connecting</span></header>
<main>
<section class="wide"><h2>Requests per second</h2><output id="rate">&ndash;</output><small id="top"></small>
<svg viewBox="0 0 600 100" preserveAspectRatio="none" aria-hidden="true"><polyline id="line" points=""/></svg></section>
<section><h2>Requests</h2><output id="total">&ndash;</output><small id="errors"></small></section>
<section><h2>Latency p95</h2><output id="p95">&ndash;</output><small id="quantiles"></small></section>
<section><h2>WebSockets</h2><output id="sockets">&ndash;</output><small id="pings"></small></section>
<section><h2>MCP sessions</h2><output id="sessions">&ndash;</output><small></small></section>
<section><h2>Memory</h2><output id="memory">&ndash;</output><small id="uptime"></small></section>
<div id="lists">
<section><h2>Requests by route</h2><table><tbody id="routes"></tbody></table></section>
<section><h2>Providers</h2><table><tbody id="providers"></tbody></table></section>
</div>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
