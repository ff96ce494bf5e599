import { expect, it } from "vitest";
import { csvOf, findings, type Sample, tableOf } from "./curve.ts";

const flat: Sample[] = Array.from({ length: 60 }, (_, at) => ({
	second: (at + 1) * 30,
	calls: 3_000,
	wrong: 0,
	p50: 3 + (at % 3) / 10,
	p99: 12 + (at % 5),
	control: 2,
	cpu: 1 + (at % 4) / 20,
	// The heap fills in the first minutes.
	memory: at < 8 ? 90 + 10 * at : 170 + (at % 4) * 3,
	handles: 60 + (at % 7),
	holds: at % 5,
	overdue: 0,
	disk: at,
	first: at % 8 === 0 ? 300 : 450,
	other: at % 8 === 0 ? 150 : 0,
}));
const changed = (change: (at: number) => Partial<Sample>) =>
	flat.map((sample, at) => ({ ...sample, ...change(at) }));

it("a flat curve is found flat, warm-up and one bad moment included", () => {
	expect(findings(flat)).toEqual([]);
	expect(
		findings(changed((at) => (at === 50 ? { p99: 900, memory: 400 } : {}))),
	).toEqual([]);
	const busy = changed((at) =>
		at > 40 ? { p50: 9, p99: 40, control: 6, handles: 66 + (at % 50) } : {},
	);
	expect(findings(busy)).toEqual([]);
});

it.each<[string, (at: number) => Partial<Sample>, RegExp]>([
	["memory", (at) => ({ memory: 170 + at }), /^memory is not flat/],
	["handles", (at) => ({ handles: 60 + Math.floor(at / 3) }), /^handles/],
	["holds", (at) => ({ holds: at }), /^holds is not flat/],
	["a fallback that was never needed", () => ({ other: 0 }), /never asked/],
	["CPU", (at) => ({ cpu: 1 + at / 50 }), /^CPU/],
	["latency", (at) => ({ p50: 3 + at / 15 }), /^p50/],
	["the tail of latency", (at) => ({ p99: 10 + at * 2 }), /^p99/],
	[
		"a hold past its limit",
		(at) => ({ overdue: at === 3 ? 1 : 0 }),
		/older than their limit at 120 s/,
	],
	[
		"a call that failed",
		(at) => ({ wrong: at === 59 ? 1 : 0 }),
		/1 calls ended .* by 1800 s/,
	],
	["what could not be read", () => ({ memory: Number.NaN }), /^memory/],
])("what grows is found: %s", (_, change, said) => {
	const [first, ...more] = findings(changed(change));
	expect(first).toMatch(said);
	expect(more).toEqual([]);
});

it("says when there is too little to say anything", () => {
	expect(findings(flat.slice(0, 5))).toHaveLength(1);
	expect(findings([])).toHaveLength(1);
});

it("is kept as CSV and shown as a small table", () => {
	const lines = csvOf(flat).split("\r\n");
	expect(lines).toHaveLength(62);
	expect(lines[0]).toBe(
		"second,calls,wrong,p50,p99,control,cpu,memory,handles,holds,overdue,disk,first,other",
	);
	expect(lines[1]).toBe("30,3000,0,3,12,2,1,90,60,0,0,0,300,150");
	const shown = tableOf(flat).split("\n");
	expect(shown).toHaveLength(13);
	expect(shown.at(-1)).toContain("1800");
});
