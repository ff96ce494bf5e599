import {
	type Cell,
	measure,
	startGateway,
	startUpstreamProgram,
} from "./lib/gateways.ts";
import type { Program } from "./lib/process.ts";

/**
 * What our HTTP edge costs over a bare proxy: `node benchmarks/http-edge.ts [seconds] [rounds] [only]`.
 * Upstream, proxy and load are processes of their own, the proxy on a core of its own; CPU is the
 * proxy's. Rounds alternate between the proxies, so that a busy machine strikes all alike; the
 * round in the middle is shown.
 */
const seconds = Number(process.argv[2] ?? 4);
const rounds = Number(process.argv[3] ?? 3);
/** Only proxies whose name has this in it. */
const only = process.argv[4] ?? "";

const proxies: readonly (Program & { readonly against?: string })[] = [
	{ name: "bare node:http", file: "bare-proxy.ts" },
	{
		name: "our edge, node",
		file: "edge-proxy.ts",
		args: ["node"],
		against: "bare node:http",
	},
	{ name: "bare Bun.serve + fetch", file: "bare-proxy-bun.ts", runtime: "bun" },
	{
		name: "our edge, bun",
		file: "edge-proxy.ts",
		args: ["bun"],
		runtime: "bun",
		against: "bare Bun.serve + fetch",
	},
];

const upstream = await startUpstreamProgram(false);
const cells = new Map<string, Cell[]>();
try {
	for (let round = 0; round < rounds; round++) {
		for (const proxy of proxies) {
			if (!proxy.name.includes(only)) continue;
			const running = await startGateway(proxy, Number(upstream.ready.port));
			try {
				for (const stream of [false, true]) {
					const scenario = { name: proxy.name, stream, connections: 64 };
					keep(proxy.name, stream, await measure(running, scenario, seconds));
				}
			} finally {
				await running.stop();
			}
		}
	}
} finally {
	await upstream.stop();
}
report();

function keep(name: string, stream: boolean, cell: Cell): void {
	const key = `${name} ${stream}`;
	cells.set(key, [...(cells.get(key) ?? []), cell]);
}

/** The round in the middle, by CPU. */
function median(name: string | undefined, stream: boolean): Cell | undefined {
	const sorted = (cells.get(`${name} ${stream}`) ?? []).sort(
		(a, b) => a.cpu - b.cpu,
	);
	return sorted[sorted.length >> 1];
}

function report(): void {
	for (const stream of [false, true]) {
		console.log(
			`\n${stream ? "Streams of 34 frames" : "Plain answers of 1.2 KB"}, 64 connections`,
		);
		for (const { name, against } of proxies) {
			const cell = median(name, stream);
			const floor = median(against, stream);
			if (!cell) continue;
			const { perSecond, p50, p99, failed } = cell.load;
			const ratio = floor
				? `  ${(cell.cpu / floor.cpu).toFixed(2)} x bare`
				: "";
			console.log(
				`${name.padEnd(24)} ${cell.cpu.toFixed(1).padStart(7)} µs CPU  ${perSecond.toFixed(0).padStart(7)}/s  p50 ${p50.toFixed(2)} ms  p99 ${p99.toFixed(2)} ms  failed ${failed}${ratio}`,
			);
		}
	}
}
