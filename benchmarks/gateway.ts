import { cpus } from "node:os";
import { requestBody } from "./lib/answers.ts";
import type { LoadResult, LoadSpec } from "./lib/load.ts";
import { type Program, type Started, startProgram } from "./lib/process.ts";

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

/** Something that answers calls, in a process of its own. */
interface Gateway {
	readonly name: string;
	start(upstreamPort: number): Promise<Running>;
}

interface Running {
	readonly url: string;
	readonly key: string;
	readonly pid: number;
	/** Microseconds of CPU, bytes of memory. */
	cpu(): number;
	memory(): number;
	stop(): Promise<void>;
}

const gateways: readonly Gateway[] = [
	{
		name: "direct",
		start: async (port: number) => ({
			url: `http://127.0.0.1:${port}`,
			key: "none",
			pid: 0,
			cpu: () => Number.NaN,
			memory: () => Number.NaN,
			stop: async () => {},
		}),
	},
	program({ name: "bare proxy", file: "bare-proxy.ts" }),
	program({ name: "DuranteOS", file: "studio.ts" }),
].filter(({ name }) => name.includes(only));

function program(options: Program): Gateway {
	return {
		name: options.name,
		async start(upstreamPort) {
			const args = [String(upstreamPort)];
			const started = await startProgram({ ...options, args, cpu: 0 });
			return {
				url: `http://127.0.0.1:${started.ready.port}`,
				key: String(started.ready.key ?? "none"),
				pid: started.pid,
				cpu: started.cpu,
				memory: started.memory,
				stop: started.stop,
			};
		},
	};
}

interface Scenario {
	readonly name: string;
	readonly stream: boolean;
	readonly connections: number;
	/** 50 ms to the first byte, 10 ms between frames; else as fast as it goes. */
	readonly paced?: boolean;
	readonly promptBytes?: number;
}

const scenarios: readonly Scenario[] = [
	{ name: "plain, 1 connection", stream: false, connections: 1 },
	{ name: "plain, 16 connections", stream: false, connections: 16 },
	{ name: "plain, 64 connections", stream: false, connections: 64 },
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

interface Cell {
	readonly cpu: number;
	readonly memory: number;
	readonly load: LoadResult;
}

const cells = new Map<string, Cell>();
const cancelled = new Map<string, string>();
const quick = await startProgram({
	name: "upstream",
	file: "upstream.ts",
	cpu: 1,
});
const slow = await startProgram({
	name: "paced upstream",
	file: "upstream.ts",
	args: ["50", "10"],
	cpu: 1,
});
try {
	for (let round = 0; round < rounds; round++) {
		for (const gateway of gateways) {
			await against(gateway, quick, (running) =>
				runAll(gateway, running, false),
			);
			await against(gateway, slow, async (running) => {
				await runAll(gateway, running, true);
				cancelled.set(gateway.name, await leaveEarly(running));
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
		await load(running, { ...asked(scenario), seconds: 1 });
		const before = running.cpu();
		const result = await load(running, { ...asked(scenario), seconds });
		const cell = {
			cpu: (running.cpu() - before) / result.requests,
			memory: running.memory(),
			load: result,
		};
		const key = `${gateway.name} ${scenario.name}`;
		const best = cells.get(key);
		const better = Number.isNaN(cell.cpu)
			? !best || cell.load.p50 < best.load.p50
			: !best || cell.cpu < best.cpu;
		if (better) cells.set(key, cell);
	}
}

type Asked = Pick<
	LoadSpec,
	"body" | "connections" | "seconds" | "leaveEarly" | "once"
>;

function asked({ stream, connections, promptBytes }: Scenario): Asked {
	return { body: requestBody(stream, promptBytes), connections, seconds };
}

async function load(running: Running, what: Asked): Promise<LoadResult> {
	const spec: LoadSpec = {
		port: Number(new URL(running.url).port),
		path: "/v1/chat/completions",
		headers: {
			authorization: `Bearer ${running.key}`,
			"user-agent": "benchmark",
		},
		...what,
	};
	const run = await startProgram({
		name: "load",
		file: "load.ts",
		args: [JSON.stringify(spec)],
		cpu: 1,
	});
	await run.stop();
	return run.ready as unknown as LoadResult;
}

/** Fifty clients leave after the first bytes of a paced stream: how many of the vendor's streams end with them? */
async function leaveEarly(running: Running): Promise<string> {
	const before = await seen();
	await load(running, {
		body: requestBody(true),
		connections: 50,
		seconds: 1,
		leaveEarly: true,
		once: true,
	});
	// Streams take 0.4 s to their own end: what is cancelled later was not cancelled.
	await new Promise((resolve) => setTimeout(resolve, 600));
	const after = await seen();
	return `${after.cancelled - before.cancelled} of ${after.streams - before.streams}`;
}

async function seen(): Promise<{ streams: number; cancelled: number }> {
	const answer = await fetch(`http://127.0.0.1:${slow.ready.port}/seen`);
	return (await answer.json()) as { streams: number; cancelled: number };
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
	for (const [name, count] of cancelled)
		console.log(`  ${name.padEnd(12)} ${count}`);
}

/** Nothing was answered: no figure. */
function fixed(value: number | null): string {
	return value === null ? "none" : value.toFixed(2);
}
