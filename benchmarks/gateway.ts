import { cpus } from "node:os";
import {
	type Cell,
	direct,
	duranteOs,
	type Left,
	leaveEarly,
	measure,
	type Running,
	type Scenario,
	startGateway,
	startUpstreamProgram,
	warmUp,
} from "./lib/gateways.ts";
import type { Program, Started } from "./lib/process.ts";

/**
 * What the whole gateway costs: `node benchmarks/gateway.ts [seconds] [rounds] [only]`, against the
 * vendor asked directly and against a bare proxy. Upstream, gateway and load are processes of their
 * own, the gateway on a core of its own. Rounds alternate, so that a busy machine strikes all alike;
 * of each cell the round with the least CPU per call is shown.
 */
const seconds = Number(process.argv[2] ?? 4);
const rounds = Number(process.argv[3] ?? 2);
/** Only gateways whose name has this in it. */
const only = process.argv[4] ?? "";

interface Gateway {
	readonly name: string;
	start(upstreamPort: number): Promise<Running>;
}

const gateways: readonly Gateway[] = [
	{ name: "direct", start: async (port: number) => direct(port) },
	program({ name: "bare proxy", file: "bare-proxy.ts" }),
	program(duranteOs("DuranteOS")),
].filter(({ name }) => name.includes(only));

function program(of: Program): Gateway {
	return { name: of.name, start: (port) => startGateway(of, port) };
}

const scenarios: readonly Scenario[] = [
	{ name: "plain, 1 connection", stream: false, connections: 1 },
	{ name: "plain, 16 connections", stream: false, connections: 16 },
	{ name: "plain, 64 connections", stream: false, connections: 64 },
	{ name: "plain, 256 connections", stream: false, connections: 256 },
	{
		name: "plain, 100 KB prompt, 16 connections",
		stream: false,
		connections: 16,
		promptBytes: 100_000,
	},
	{ name: "stream of 34 frames, 1 connection", stream: true, connections: 1 },
	{
		name: "stream of 34 frames, 64 connections",
		stream: true,
		connections: 64,
	},
	{
		name: "paced stream, 64 connections",
		stream: true,
		connections: 64,
		paced: true,
	},
];

const cells = new Map<string, Cell>();
const left = new Map<string, Left>();
const quick = await startUpstreamProgram(false);
const slow = await startUpstreamProgram(true);
try {
	for (let round = 0; round < rounds; round++) {
		for (const gateway of gateways) {
			await against(gateway, quick, (running) =>
				runAll(gateway, running, false),
			);
			await against(gateway, slow, async (running) => {
				await runAll(gateway, running, true);
				left.set(gateway.name, await leaveEarly(running, slow));
			});
		}
	}
} finally {
	await quick.stop();
	await slow.stop();
}
report();

async function against(
	gateway: Gateway,
	upstream: Started,
	work: (running: Running) => Promise<void>,
): Promise<void> {
	const running = await gateway.start(Number(upstream.ready.port));
	try {
		if (gateway.name !== "direct") await warmUp(running);
		await work(running);
	} finally {
		await running.stop();
	}
}

async function runAll(
	gateway: Gateway,
	running: Running,
	paced: boolean,
): Promise<void> {
	for (const scenario of scenarios) {
		if ((scenario.paced ?? false) !== paced) continue;
		const cell = await measure(running, scenario, seconds);
		const key = `${gateway.name} ${scenario.name}`;
		const best = cells.get(key);
		const better = Number.isNaN(cell.cpu)
			? !best || cell.load.p50 < best.load.p50
			: !best || cell.cpu < best.cpu;
		if (better) cells.set(key, cell);
	}
}

function report(): void {
	console.log(
		`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}`,
	);
	for (const scenario of scenarios) {
		console.log(`\n${scenario.name}`);
		const floor = cells.get(`bare proxy ${scenario.name}`);
		for (const { name } of gateways) {
			const cell = cells.get(`${name} ${scenario.name}`);
			if (!cell) continue;
			const { perSecond, p50, p99, firstByteP50, firstByteP99, failed } =
				cell.load;
			const cost = Number.isNaN(cell.cpu)
				? ""
				: `  ${cell.cpu.toFixed(1)} µs CPU${floor ? ` (${(cell.cpu / floor.cpu).toFixed(2)} x bare)` : ""}  ${(cell.memory / 1e6).toFixed(0)} MB`;
			const first = scenario.stream
				? `  first byte p50 ${fixed(firstByteP50)} p99 ${fixed(firstByteP99)} ms`
				: "";
			console.log(
				`  ${name.padEnd(12)} ${perSecond.toFixed(0).padStart(7)}/s  p50 ${fixed(p50)} p99 ${fixed(p99)} ms${first}${cost}  failed ${failed}`,
			);
		}
	}
	console.log("\nVendor's streams cancelled when 50 clients left early");
	for (const [name, { cancelled, streams }] of left)
		console.log(`  ${name.padEnd(12)} ${cancelled} of ${streams}`);
}

/** Nothing was answered: no figure. */
function fixed(value: number | null): string {
	return value === null ? "none" : value.toFixed(2);
}
