/**
 * Charts as SVG text: two forms, no library. Colours are classes, so that one style serves a page
 * and a file by itself, in light and dark.
 */

export interface Row {
	readonly name: string;
	/** Of the style below: `floor`, `ours`, … */
	readonly tone: string;
	readonly value: number;
	/** A second value, shown as the far end of a line from the first. */
	readonly to?: number;
	readonly label: string;
}

const width = 420;
const line = 26;
const nameWidth = 118;
const labelWidth = 92;

/** A dot for each row on a logarithmic axis, where equal distances are equal ratios. */
export function dotChart(about: {
	readonly title: string;
	readonly unit: string;
	readonly rows: readonly Row[];
}): string {
	const values = about.rows.flatMap(({ value, to }) => [value, to ?? value]);
	const axis = logAxis(values, nameWidth + 8, width - labelWidth - 8);
	const height = 34 + about.rows.length * line;
	const grid = axis.ticks.map(
		({ at, label }) =>
			`<line class="grid" x1="${at}" x2="${at}" y1="22" y2="${height - 6}"/><text class="tick" x="${at}" y="14" text-anchor="middle">${label}</text>`,
	);
	const rows = about.rows.map((row, index) => {
		const y = 22 + index * line + line / 2;
		const from = axis.at(row.value);
		const to = row.to === undefined ? undefined : axis.at(row.to);
		const range =
			to === undefined
				? ""
				: `<line class="range ${row.tone}" x1="${from}" x2="${to}" y1="${y}" y2="${y}"/><circle class="hollow ${row.tone}" cx="${to}" cy="${y}" r="4"/>`;
		return `<g><title>${escaped(`${row.name}: ${row.label} ${about.unit}`)}</title><text class="name" x="0" y="${y + 4}">${escaped(row.name)}</text>${range}<circle class="dot ${row.tone}" cx="${from}" cy="${y}" r="5"/><text class="value" x="${width}" y="${y + 4}" text-anchor="end">${escaped(row.label)}</text></g>`;
	});
	return svg(height, `${about.title}, ${about.unit}`, [...grid, ...rows]);
}

export interface Line {
	readonly name: string;
	readonly tone: string;
	/** One for each column; 0 or less: none. */
	readonly values: readonly number[];
}

/** A line for each name over named columns, on a logarithmic axis, with the names at the lines' ends. */
export function lineChart(about: {
	readonly title: string;
	readonly columns: readonly string[];
	readonly lines: readonly Line[];
}): string {
	const height = 340;
	const [left, right] = [40, width - nameWidth - 14];
	const values = about.lines.flatMap(({ values }) =>
		values.filter((value) => value > 0),
	);
	const axis = logAxis(values, height - 34, 14);
	const x = (index: number) =>
		round(left + ((right - left) * index) / (about.columns.length - 1));
	const grid = axis.ticks.map(
		({ at, label }) =>
			`<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/><text class="tick" x="${left - 6}" y="${at + 4}" text-anchor="end">${label}</text>`,
	);
	const columns = about.columns.map(
		(name, index) =>
			`<text class="tick" x="${x(index)}" y="${height - 14}" text-anchor="middle">${escaped(name)}</text>`,
	);
	const places = spread(
		about.lines.map(({ values }) => axis.at(values.at(-1) || axis.least)),
		15,
		height - 34,
	);
	const lines = about.lines.map(({ name, tone, values }, index) => {
		const points = values
			.map((value, column) => ({ value, column }))
			.filter(({ value }) => value > 0)
			.map(({ value, column }) => [x(column), axis.at(value)] as const);
		const path = points.map((point) => point.join(",")).join(" ");
		const dots = points.map(
			([cx, cy]) =>
				`<circle class="dot ${tone}" cx="${cx}" cy="${cy}" r="3.5"/>`,
		);
		return `<g><title>${escaped(name)}</title><polyline class="line ${tone}" points="${path}"/>${dots.join("")}<text class="name ${tone}" x="${right + 10}" y="${(places[index] as number) + 4}">${escaped(name)}</text></g>`;
	});
	return svg(height, about.title, [...grid, ...columns, ...lines]);
}

/** A logarithmic axis a little wider than its values, with ticks at round numbers: the fewer the wider it is. */
export function logAxis(
	values: readonly number[],
	from: number,
	to: number,
): {
	readonly ticks: readonly { readonly at: number; readonly label: string }[];
	readonly least: number;
	at(value: number): number;
} {
	const known = values.filter((value) => value > 0);
	const [low, high] =
		known.length > 0 ? [Math.min(...known), Math.max(...known)] : [1, 10];
	// At least a decade wide, so that small differences look small.
	const room = Math.max(1.25, Math.sqrt(10 / (high / low)));
	const [least, most] = [low / room, high * room];
	const span = Math.log(most / least);
	const at = (value: number) =>
		round(
			from + ((to - from) * Math.log(Math.max(value, least) / least)) / span,
		);
	const decades = Math.log10(most / least);
	const steps = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5];
	const ticks: { at: number; label: string }[] = [];
	for (let power = -3; power <= 9; power++)
		for (const step of steps) {
			const tick = step * 10 ** power;
			if (tick >= least && tick <= most)
				ticks.push({ at: at(tick), label: short(tick) });
		}
	return { ticks, least, at };
}

/** Moves places apart, so that none is nearer than `gap` to another, in their order, none beyond `end`. */
export function spread(
	places: readonly number[],
	gap: number,
	end: number,
): readonly number[] {
	const order = places
		.map((place, index) => ({ place, index }))
		.sort((a, b) => a.place - b.place);
	let floor = Number.NEGATIVE_INFINITY;
	for (const one of order) {
		one.place = Math.max(one.place, floor);
		floor = one.place + gap;
	}
	let ceiling = end;
	for (const one of order.reverse()) {
		one.place = Math.min(one.place, ceiling);
		ceiling = one.place - gap;
	}
	const moved = [...places];
	for (const { place, index } of order) moved[index] = round(place);
	return moved;
}

function short(value: number): string {
	if (value >= 1e6) return `${value / 1e6}M`;
	return value >= 1e3 ? `${value / 1e3}k` : String(Number(value.toFixed(3)));
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}

export function escaped(text: string): string {
	return text
		.replaceAll("&", "&amp;")
		.replaceAll("<", "&lt;")
		.replaceAll(">", "&gt;")
		.replaceAll('"', "&quot;");
}

function svg(height: number, title: string, parts: readonly string[]): string {
	return `<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">${parts.join("")}</svg>`;
}

/** The colours and type of charts, for a page or a file by itself. */
export const chartStyle: string = `
:root{color-scheme:light dark;--page:#fff;--ink:#1c1f24;--quiet:#646b76;--rule:#e3e6ea;--floor:#9aa1ab;--ours-node:#1263d6;--ours-bun:#0a8f84;--portkey:#c2570c;--litellm:#8a3ffc;--bifrost:#b0246a}
@media(prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e8eaed;--quiet:#9aa3af;--rule:#2c3138;--floor:#7d8590;--ours-node:#6ba6ff;--ours-bun:#3fd0c3;--portkey:#ff9d57;--litellm:#bd93ff;--bifrost:#ff7db5}}
.chart{font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;display:block;width:100%;height:auto;color:var(--tone)}
.chart .grid{stroke:var(--rule);stroke-width:1}
.chart text{fill:var(--ink)}
.chart .tick{fill:var(--quiet);font-size:11.5px}
.chart .value{font-variant-numeric:tabular-nums}
.chart .dot{fill:var(--tone)}
.chart .hollow{fill:var(--page);stroke:var(--tone);stroke-width:2}
.chart .range,.chart .line{stroke:var(--tone);stroke-width:2;fill:none}
.chart .floor{--tone:var(--floor)}
${["ours-node", "ours-bun", "portkey", "litellm", "bifrost"].map((tone) => `.chart .${tone}{--tone:var(--${tone})}`).join("\n")}
.chart text.name.floor{fill:var(--quiet)}
`;

/** A chart that stands by itself in a file. */
export function alone(chart: string): string {
	return `${chart.replace(/<svg([^>]*)>/, `<svg$1 style="background:var(--page)"><style>${chartStyle}</style>`)}\n`;
}
