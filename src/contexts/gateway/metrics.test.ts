import { describe, expect, it } from "vitest";
import { openMetrics } from "./metrics.ts";

describe("metrics", () => {
	it("counts by labels, in Prometheus's text format", () => {
		const metrics = openMetrics();
		metrics.count("dos_refusals_total", { code: "a/b" });
		metrics.count("dos_refusals_total", { code: "a/b" }, 4);
		metrics.count("dos_refusals_total", { code: 'odd "\\\n' });
		expect(metrics.render()).toBe(
			[
				"# HELP dos_refusals_total Requests refused before they were forwarded, by code.",
				"# TYPE dos_refusals_total counter",
				'dos_refusals_total{code="a/b"} 5',
				'dos_refusals_total{code="odd \\"\\\\\\n"} 1',
				"",
			].join("\n"),
		);
	});

	it("observes durations in buckets that add up", () => {
		const metrics = openMetrics();
		for (const milliseconds of [0, 5, 6, 400_000])
			metrics.observe("dos_call_seconds", { operation: "chat" }, milliseconds);
		const text = metrics.render();
		expect(text).toContain(
			'dos_call_seconds_bucket{operation="chat",le="0.005"} 2\n',
		);
		expect(text).toContain(
			'dos_call_seconds_bucket{operation="chat",le="0.01"} 3\n',
		);
		expect(text).toContain(
			'dos_call_seconds_bucket{operation="chat",le="300"} 3\n',
		);
		expect(text).toContain(
			'dos_call_seconds_bucket{operation="chat",le="+Inf"} 4\n',
		);
		expect(text).toContain('dos_call_seconds_sum{operation="chat"} 400.011\n');
		expect(text).toContain('dos_call_seconds_count{operation="chat"} 4\n');
	});

	it("reads gauges when asked, and works without labels", () => {
		const metrics = openMetrics();
		let now = 1;
		metrics.gauge("dos_log_position", "Position.", () => now);
		metrics.count("plain", {});
		now = 2;
		expect(metrics.render()).toContain(
			"# TYPE dos_log_position gauge\ndos_log_position 2\n",
		);
		expect(metrics.render()).toContain("\nplain 1\n");
	});

	it("reads a gauge of several series, of which there may be none", () => {
		const metrics = openMetrics();
		const open = new Map([["a/m", 1]]);
		metrics.gauge("dos_breakers_open", "Breakers.", function* () {
			for (const [substrate, value] of open)
				yield [{ substrate, class: "connect" }, value];
		});
		expect(metrics.render()).toBe(
			'# HELP dos_breakers_open Breakers.\n# TYPE dos_breakers_open gauge\ndos_breakers_open{substrate="a/m",class="connect"} 1\n',
		);
		open.clear();
		expect(metrics.render()).toMatch(/gauge\n$/);
	});

	it("stops growing where labels come from outside", () => {
		const metrics = openMetrics();
		for (let n = 0; n < 3_000; n++)
			metrics.count("dos_calls_total", { ending: `e${n}` });
		metrics.count("dos_calls_total", { ending: "e0" });
		expect(metrics.render().match(/^dos_calls_total\{/gm)).toHaveLength(2_000);
		expect(metrics.render()).toContain('{ending="e0"} 2');
	});
});
