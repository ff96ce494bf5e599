import { bounds } from "../lib/frontier.ts";
import {
	chartStyle,
	dotChart,
	escaped,
	lineChart,
	type Row,
} from "./charts.ts";
import { moneyTests, type Verdict } from "./money.ts";
import {
	type Contender,
	disturbedOf,
	type Figures,
	figure,
	type Results,
	round,
	type ScenarioName,
	scenarios,
	targetsOf,
} from "./results.ts";

export interface Chart {
	readonly file: string;
	readonly title: string;
	readonly about: string;
	readonly chart: string;
}

/** The plots of the page, each of which is a file of its own too. */
export function chartsOf(results: Results): readonly Chart[] {
	const measured = results.contenders.filter(({ figures }) => figures.many);
	const dots = (
		file: string,
		title: string,
		about: string,
		unit: string,
		row: (contender: Contender) => Omit<Row, "name" | "tone"> | undefined,
	): Chart => ({
		file,
		title,
		about,
		chart: dotChart({
			title,
			unit,
			rows: measured.flatMap((contender) => {
				const shown = row(contender);
				return shown
					? [{ name: contender.name, tone: toneOf(contender), ...shown }]
					: [];
			}),
		}),
	});
	const cpu = (file: string, title: string, scenario: ScenarioName) =>
		dots(
			file,
			title,
			"Microseconds of the gateway's CPU for one call. Less is better.",
			"µs",
			({ figures }) => single(figures[scenario]?.cpu, "µs"),
		);
	return [
		{
			file: "frontier",
			title: "Calls a second within a bound",
			about:
				"The most calls a second that one core carries while 99 of 100 are answered within 1, 5, 10, 50 and 100 ms. More is better; no dot means that even one connection was slower.",
			chart: lineChart({
				title: "Calls a second at p99 within a bound",
				columns: bounds.map((bound) => `${bound} ms`),
				lines: measured
					.filter(({ frontier }) => frontier?.edges.some(hasCalls))
					.map((contender) => ({
						name: contender.name,
						tone: toneOf(contender),
						values: contender.frontier?.edges.map(
							({ perSecond }) => perSecond,
						) as readonly number[],
					})),
			}),
		},
		cpu("cpu-plain", "CPU of a plain call", "many"),
		cpu("cpu-stream", "CPU of a stream of 34 frames", "stream"),
		cpu("cpu-large", "CPU of a call with a 100 KB prompt", "large"),
		dots(
			"latency",
			"One connection",
			"Milliseconds until the whole answer is there, in the middle: p50 of calls one after the other.",
			"ms",
			({ figures }) => single(figures.one?.p50, "ms"),
		),
		dots(
			"first-byte",
			"First byte of a paced stream",
			"Milliseconds, p50 (full) to p99 (hollow), with 64 streams at once. The upstream itself waits 50.",
			"ms",
			({ figures }) => between(figures.paced),
		),
		dots(
			"memory",
			"Memory under load",
			"Megabytes held at 64 (full) and 256 connections (hollow).",
			"MB",
			({ figures }) => {
				const [many, most] = [figures.many?.memory, figures.most?.memory];
				if (!many || !most) return undefined;
				return {
					value: many / 1e6,
					to: most / 1e6,
					label: `${round(many / 1e6)} – ${round(most / 1e6)}`,
				};
			},
		),
	];
}

function hasCalls({ perSecond }: { readonly perSecond: number }): boolean {
	return perSecond > 0;
}

function toneOf({ id, kind }: Contender): string {
	return kind === "floor" ? "floor" : id;
}

function single(
	value: number | null | undefined,
	unit: string,
): Omit<Row, "name" | "tone"> | undefined {
	return value ? { value, label: `${round(value)} ${unit}` } : undefined;
}

function between(
	figures: Figures | undefined,
): Omit<Row, "name" | "tone"> | undefined {
	const [value, to] = [figures?.firstByteP50, figures?.firstByteP99];
	if (!value || !to) return undefined;
	return { value, to, label: `${round(value)} – ${round(to)}` };
}

/** The whole page: nothing is loaded from anywhere. */
export function pageOf(results: Results): string {
	const shown = results.contenders.filter(({ skipped }) => !skipped);
	const asked = shown.filter(({ money }) => money);
	const disturbed = disturbedOf(results);
	return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DuranteOS beside other gateways</title>
<style>${chartStyle}${pageStyle}</style>
</head>
<body>
<main>
<h1>DuranteOS beside other gateways</h1>
<p class="lead">${escaped(leadOf(results))}</p>
<p class="quiet">${escaped(results.machine)} · ${results.taken.slice(0, 10)} · commit ${escaped(results.commit)} · <code>${escaped(results.command)}</code> · ${results.seconds} s a cell, ${results.rounds} ${results.rounds === 1 ? "round" : "rounds"}, ${results.minutes} minutes${disturbed ? `. <strong>${disturbed}</strong>` : ""}</p>
${asked.length > 0 ? moneySection(asked) : ""}
${shown.some(({ figures }) => figures.many) ? speedSection(results, shown) : ""}
<h2>Who was measured</h2>
<dl>
${results.contenders.map(whoWas).join("\n")}
</dl>
<h2>How to read this</h2>
<p>Load, gateway and mock upstream are processes of their own. The gateway has one core, load and upstream share another. CPU is what the operating system accounts to the gateway. Compare within this page: another machine, or a busy one, moves all figures. Axes are logarithmic, so equal distances are equal ratios. What was on and off for each is said above: only ours keeps durable books while its speed is measured.</p>
</main>
</body>
</html>
`;
}

function leadOf(results: Results): string {
	const calls = (id: string) => figure(results, id, "many", "perSecond");
	const [node, bun, other] = [
		calls("ours-node"),
		calls("ours-bun"),
		calls("portkey"),
	];
	const said = ["One core, 64 connections, everything on:"];
	if (node)
		said.push(`DuranteOS answers ${round(node)} calls a second on Node`);
	if (bun) said.push(`and ${round(bun)} on Bun`);
	if (node && other)
		said.push(
			`, ${round(node / other)}${bun ? ` and ${round(bun / other)}` : ""} times as many as Portkey's gateway`,
		);
	return said.length === 1
		? "Speed, memory and money of gateways for language models, measured on one machine."
		: `${said.join(" ").replace(" ,", ",")}.`;
}

const marks: Record<Verdict["outcome"], string> = {
	kept: '✓<span class="word"> kept</span>',
	broken: '✗<span class="word"> broken</span>',
	none: "none",
	unknown: "not tested",
};

function moneySection(asked: readonly Contender[]): string {
	const rows = moneyTests.map((test) => {
		const cells = asked.map(({ money }) => {
			const verdict = money?.find((one) => one.test === test);
			return verdict
				? `<td class="${verdict.outcome}" title="${escaped(verdict.detail)}">${marks[verdict.outcome]}</td>`
				: "<td></td>";
		});
		return `<tr><th scope="row">${escaped(test)}</th>${cells.join("")}</tr>`;
	});
	const details = asked.map(
		({ name, conditions, money }) =>
			`<details><summary>What was seen: ${escaped(name)}</summary><p class="quiet">${escaped(conditions)}</p><ul>${(money ?? []).map(({ test, outcome, detail }) => `<li><strong class="${outcome}">${marks[outcome]}</strong> ${escaped(test)}.<br><span class="quiet">${escaped(detail)}</span></li>`).join("")}</ul></details>`,
	);
	return `<h2>Money</h2>
<p>A gateway that meters must not let a budget be overspent, must not refuse what it covers, and must settle what the upstream counted, whatever breaks. <em>None</em> means that a gateway does not claim to do it.</p>
<div class="wide"><table class="marks"><thead><tr><td></td>${asked.map(({ name }) => `<th scope="col">${escaped(name)}</th>`).join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>
${details.join("\n")}`;
}

function speedSection(results: Results, shown: readonly Contender[]): string {
	const charts = chartsOf(results).map(
		({ title, about, chart }) =>
			`<figure><h3>${escaped(title)}</h3><figcaption>${escaped(about)}</figcaption>${chart}</figure>`,
	);
	const targets = targetsOf(results).map(
		({ name, wanted, seen, verdict }) =>
			`<tr><th scope="row">${escaped(name)}</th><td>${escaped(wanted)}</td><td>${escaped(seen ?? "not measured")}</td>${verdictCell(seen, verdict)}</tr>`,
	);
	const measured = shown.filter(({ figures }) => figures.many);
	const figures = (Object.keys(scenarios) as ScenarioName[]).map(
		(scenario) =>
			`<h3>${escaped(scenarios[scenario].name)}</h3>
<div class="wide"><table class="numbers"><thead><tr><td></td><th>calls/s</th><th>p50 ms</th><th>p99 ms</th><th>first byte p50</th><th>p99</th><th>CPU µs</th><th>others %</th><th>MB</th><th>failed</th></tr></thead><tbody>${measured.map((contender) => figureRow(contender, scenario)).join("")}</tbody></table></div>`,
	);
	return `<h2>Speed</h2>
<div class="charts">${charts.join("\n")}</div>
<h3>Streams that end at the upstream when their client leaves</h3>
<p>${measured.flatMap(({ name, left }) => (left ? [`${escaped(name)} ${left.cancelled} of ${left.streams}`] : [])).join(" · ")}</p>
<h2>What we ask of ourselves</h2>
<div class="wide"><table><tbody>${targets.join("\n")}</tbody></table></div>
<details><summary>Every figure</summary>${figures.join("\n")}</details>`;
}

function verdictCell(
	seen: string | undefined,
	verdict: "reached" | "not reached" | undefined,
): string {
	if (verdict === "reached") return '<td class="kept">✓ reached</td>';
	if (verdict) return '<td class="broken">✗ not reached</td>';
	return `<td class="none">${seen ? "disturbed by others" : ""}</td>`;
}

function figureRow(
	{ name, figures }: Contender,
	scenario: ScenarioName,
): string {
	const cell = figures[scenario];
	if (!cell) return "";
	const show = (value: number | null, scale = 1) =>
		`<td>${value === null ? "" : round(value * scale)}</td>`;
	return `<tr><th scope="row">${escaped(name)}</th>${show(cell.perSecond)}${show(cell.p50)}${show(cell.p99)}${show(cell.firstByteP50)}${show(cell.firstByteP99)}${show(cell.cpu)}${show(cell.foreign, 100)}${show(cell.memory, 1e-6)}${show(cell.failed)}</tr>`;
}

function whoWas({
	name,
	version,
	conditions,
	skipped,
	notes,
}: Contender): string {
	const said = [skipped, ...notes].filter((text) => text !== undefined);
	return `<dt>${escaped(name)}${version ? ` <span class="quiet">${escaped(version)}</span>` : ""}</dt><dd>${escaped(conditions)}${said.map((text) => ` <strong>${escaped(text)}</strong>`).join("")}</dd>`;
}

const pageStyle = `
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .75rem}
h2{font-size:1.35rem;margin:2.75rem 0 .5rem}
h3{font-size:1rem;margin:1.5rem 0 .25rem}
p,dd,li{max-width:70ch}
.lead{font-size:1.15rem}
.quiet{color:var(--quiet);font-size:.9rem;font-weight:400}
code{font-size:.92em;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:1rem 3rem;align-items:start}
figure{margin:0}
figcaption{color:var(--quiet);font-size:.9rem;margin-bottom:.75rem}
.wide{overflow-x:auto;margin:.75rem 0}
table{border-collapse:collapse;font-size:.93rem}
th,td{text-align:left;padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
thead th{color:var(--quiet);font-weight:500;white-space:nowrap}
tbody th{font-weight:400;min-width:11rem}
td{white-space:nowrap}
.numbers td,.numbers thead th{text-align:right;font-variant-numeric:tabular-nums}
.kept{color:#11803a}.broken{color:#c22121}.none,.unknown{color:var(--quiet)}
@media(prefers-color-scheme:dark){.kept{color:#5fd38a}.broken{color:#ff8a8a}}
details{margin:.5rem 0}
summary{cursor:pointer}
li{margin:.5rem 0}
dt{font-weight:600;margin-top:.75rem}
dd{margin:0}
.marks thead th{white-space:normal}
@media(max-width:600px){.marks{font-size:.85rem}.marks td,.marks th{padding-right:.6rem}.marks tbody th{min-width:8rem}td .word{position:absolute;clip-path:inset(50%)}main{padding-top:1.25rem}tbody th{min-width:9.5rem}.charts{gap:1.5rem}}
`;
