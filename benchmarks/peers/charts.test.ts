import { describe, expect, it } from "vitest";
import { alone, dotChart, lineChart, logAxis, spread } from "./charts.ts";

describe("a logarithmic axis", () => {
	const labels = (values: readonly number[]) =>
		logAxis(values, 0, 300).ticks.map(({ label }) => label);

	it("holds every value, and equal ratios are equal distances", () => {
		const { at } = logAxis([20, 2_000], 0, 300);
		expect(at(20)).toBeGreaterThan(0);
		expect(at(2_000)).toBeLessThan(300);
		expect(at(2_000) - at(200)).toBeCloseTo(at(200) - at(20), 0);
	});

	it("has ticks at round numbers, finer where values lie close together", () => {
		expect(labels([23, 48_000])).toEqual(["100", "1k", "10k"]);
		expect(labels([30, 900])).toEqual(["30", "100", "300", "1k"]);
		expect(labels([52, 78])).toEqual(["50", "100", "200"]);
		expect(labels([])).not.toEqual([]);
	});

	it("is a decade wide at the least, so that small differences look small", () => {
		const { at } = logAxis([100, 101], 0, 300);
		expect(at(101) - at(100)).toBeLessThan(3);
	});
});

describe("names at the ends of lines", () => {
	it("are moved apart in their order and stay inside", () => {
		expect(spread([10, 12, 100], 15, 200)).toEqual([10, 25, 100]);
		expect(spread([95, 99], 15, 100)).toEqual([85, 100]);
		expect(spread([99, 95], 15, 100)).toEqual([100, 85]);
	});
});

describe("a chart", () => {
	it("escapes what it is told", () => {
		const chart = dotChart({
			title: "a < b",
			unit: "µs",
			rows: [{ name: "x & <y>", tone: "floor", value: 3, label: "3" }],
		});
		expect(chart).toContain("x &amp; &lt;y&gt;");
		expect(chart).not.toContain("<y>");
	});

	it("leaves out what is not there", () => {
		const chart = lineChart({
			title: "t",
			columns: ["1", "5", "10"],
			lines: [{ name: "n", tone: "portkey", values: [0, 10, 20] }],
		});
		expect(chart.match(/<circle/g)).toHaveLength(2);
		expect(chart).not.toContain("NaN");
	});

	it("carries its style when it stands alone", () => {
		const chart = alone(dotChart({ title: "t", unit: "u", rows: [] }));
		expect(chart).toMatch(/^<svg[^>]*><style>/);
		expect(chart).toContain("prefers-color-scheme:dark");
	});
});
