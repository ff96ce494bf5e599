import { describe, expect, it } from "vitest";
import { pageOf } from "./page.ts";
import { summaryText, withSection } from "./report.ts";
import type { Contender, Results } from "./results.ts";

const figures = {
	cpu: 60,
	foreign: 0.3,
	memory: 1e8,
	perSecond: 1_234,
	p50: 1,
	p99: 2,
	firstByteP50: 3,
	firstByteP99: 4,
	failed: 0,
};
const measured: Contender = {
	id: "portkey",
	name: "Portkey",
	kind: "peer",
	conditions: "<On>",
	version: "1",
	notes: ["Round 2 was left out."],
	figures: { many: figures, most: figures, paced: figures },
	frontier: {
		points: [],
		edges: [{ bound: 5, perSecond: 777, connections: 4 }],
	},
	left: { streams: 50, cancelled: 0 },
	money: [
		{
			test: "The answer arrives byte for byte",
			outcome: "broken",
			detail: "Not the same: <x> lost.",
		},
	],
};
const missing: Contender = {
	id: "bifrost",
	name: "Bifrost",
	kind: "peer",
	conditions: "On",
	version: "",
	skipped: "Not had here: no module.",
	notes: [],
	figures: {},
};
const results: Results = {
	taken: "2026-01-02T00:00:00Z",
	commit: "abc",
	command: "npm run bench -- peers",
	machine: "a machine",
	seconds: 1,
	rounds: 2,
	minutes: 3,
	contenders: [measured, missing],
};

describe("a section of a page of Markdown", () => {
	const section = "## Peers\n\nnew\n";

	it("takes the place of the one it had, and leaves the others", () => {
		expect(
			withSection("# R\n\n## Peers\n\nold\n\n## Log\n\nx\n", section),
		).toBe("# R\n\n## Peers\n\nnew\n\n## Log\n\nx\n");
		expect(withSection("# R\n\n## Peers\n\nold\n", section)).toBe(
			"# R\n\n## Peers\n\nnew\n",
		);
	});

	it("is put at the end where there was none, once and for all", () => {
		const once = withSection("# R\n\n## Log\n\nx\n", section);
		expect(once).toBe("# R\n\n## Log\n\nx\n\n## Peers\n\nnew\n");
		expect(withSection(once, section)).toBe(once);
	});
});

describe("what is told", () => {
	it("names who is not there, and why, and what went wrong", () => {
		const text = summaryText(results);
		expect(text).toContain("Bifrost: Not had here: no module.");
		expect(text).toContain("Portkey: Round 2 was left out.");
		expect(text).toContain("in 3 of 3 cells others took");
		expect(text).toMatch(/Portkey +1,234 +60 µs/);
		expect(text).toMatch(/Portkey +777/);
		expect(text).toMatch(/The answer arrives byte for byte +broken/);
	});

	it("is a page that loads nothing, with everything escaped", () => {
		const page = pageOf(results);
		expect(page).not.toMatch(/<script|src=|href=|@import|url\(/);
		expect(page).toContain("&lt;On&gt;");
		expect(page).not.toContain("<x>");
		expect(page).toContain("Not had here: no module.");
		expect(page).not.toMatch(/NaN|undefined|Infinity/);
	});

	it("is a page too when nobody could be measured", () => {
		const page = pageOf({ ...results, contenders: [missing] });
		expect(page).toContain("Not had here: no module.");
		expect(page).not.toMatch(/NaN|undefined|Infinity/);
	});
});
