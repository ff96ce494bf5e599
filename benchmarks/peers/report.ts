import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bounds } from "../lib/frontier.ts";
import { alone } from "./charts.ts";
import { moneyTests } from "./money.ts";
import { chartsOf, pageOf } from "./page.ts";
import {
	type Contender,
	disturbedOf,
	type Figures,
	type Results,
	round,
	type ScenarioName,
	targetsOf,
} from "./results.ts";

/** Writes the results as data, page and plots to a folder, and as a section to a file of Markdown. */
export function writeReports(
	results: Results,
	folder: string,
	markdown?: string,
): void {
	mkdirSync(folder, { recursive: true });
	writeFileSync(
		join(folder, "peers.json"),
		`${JSON.stringify(results, null, "\t")}\n`,
	);
	writeFileSync(join(folder, "index.html"), pageOf(results));
	for (const { file, chart } of chartsOf(results))
		writeFileSync(join(folder, `${file}.svg`), alone(chart));
	if (markdown !== undefined && existsSync(markdown))
		writeFileSync(
			markdown,
			withSection(readFileSync(markdown, "utf8"), sectionOf(results)),
		);
}

/** A page with the section of this heading in place of the one it had, or at its end. */
export function withSection(page: string, section: string): string {
	const heading = section.slice(0, section.indexOf("\n"));
	const from = page.indexOf(`\n${heading}\n`);
	if (from < 0) return `${page.trimEnd()}\n\n${section}`;
	const next = page.indexOf("\n## ", from + heading.length);
	const rest = next < 0 ? "" : `\n${page.slice(next + 1)}`;
	return `${page.slice(0, from + 1)}${section}${rest}`;
}

function sectionOf(results: Results): string {
	return `## Peers

\`${results.command}\`, ${results.taken.slice(0, 10)}, commit ${results.commit}: ${results.machine}; ${results.seconds} s a cell, ${results.rounds} rounds, ${results.minutes} minutes. The [page](results/index.html) has plots, [the data](results/peers.json) every figure, and [README.md](README.md) says what they mean.

\`\`\`
${summaryText(results)}
\`\`\`
`;
}

/** The same for a terminal. */
export function summaryText(results: Results): string {
	const measured = results.contenders.filter(({ skipped }) => !skipped);
	const blocks: string[] = [];
	if (measured.some(({ figures }) => figures.many)) {
		blocks.push(
			table(
				[
					"One core",
					"calls/s, 64",
					"CPU plain",
					"CPU stream",
					"CPU 100 KB",
					"p50, 1",
					"first byte p99",
					"MB, 64",
					"MB, 256",
					"cancelled",
				],
				measured.map(speedRow),
			),
			table(
				["Calls/s at p99 within", ...bounds.map((bound) => `${bound} ms`)],
				measured.map(({ name, frontier }) => [
					name,
					...bounds.map((bound) => {
						const edge = frontier?.edges.find((one) => one.bound === bound);
						return edge ? round(edge.perSecond) : "";
					}),
				]),
			),
			table(
				["Target", "Wanted", "Seen", ""],
				targetsOf(results).map(({ name, wanted, seen, verdict }) => [
					name,
					wanted,
					seen ?? "not measured",
					verdict ?? (seen ? "disturbed" : ""),
				]),
				["left", "left", "left", "left"],
			),
		);
	}
	const asked = measured.filter(({ money }) => money);
	if (asked.length > 0)
		blocks.push(
			table(
				["Money", ...asked.map(({ name }) => name)],
				moneyTests.map((test) => [
					test,
					...asked.map(({ money }) => {
						const outcome = money?.find((one) => one.test === test)?.outcome;
						return outcome === "unknown" ? "not tested" : (outcome ?? "");
					}),
				]),
			),
		);
	const disturbed = disturbedOf(results);
	if (disturbed) blocks.push(disturbed);
	const notes = results.contenders.flatMap(({ name, skipped, notes }) =>
		[...(skipped ? [skipped] : []), ...notes].map((text) => `${name}: ${text}`),
	);
	if (notes.length > 0) blocks.push(notes.join("\n"));
	return blocks.join("\n\n");
}

function speedRow({ name, figures, left }: Contender): string[] {
	const of = (
		scenario: ScenarioName,
		figure: keyof Figures,
		unit = "",
		scale = 1,
	) => {
		const value = figures[scenario]?.[figure];
		return value === undefined || value === null
			? ""
			: `${round(value * scale)}${unit}`;
	};
	return [
		name,
		of("many", "perSecond"),
		of("many", "cpu", " µs"),
		of("stream", "cpu", " µs"),
		of("large", "cpu", " µs"),
		of("one", "p50", " ms"),
		of("paced", "firstByteP99", " ms"),
		of("many", "memory", "", 1e-6),
		of("most", "memory", "", 1e-6),
		left ? `${left.cancelled} of ${left.streams}` : "",
	];
}

function table(
	head: readonly string[],
	rows: readonly (readonly string[])[],
	sides: readonly ("left" | "right")[] = ["left"],
): string {
	const widths = head.map((title, column) =>
		Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
	);
	return [head, ...rows]
		.map((row) =>
			widths
				.map((width, column) =>
					sides[column] === "left"
						? (row[column] ?? "").padEnd(width)
						: (row[column] ?? "").padStart(width),
				)
				.join("  ")
				.trimEnd(),
		)
		.join("\n");
}
