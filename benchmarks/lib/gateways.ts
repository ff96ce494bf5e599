import { requestBody } from "./answers.ts";
import { compiled } from "./compiled.ts";
import type { LoadResult, LoadSpec } from "./load.ts";
import { busyOf, type Program, type Started, startProgram } from "./process.ts";

/** The cores: what is measured has one to itself, load and upstream share the other. */
export const gatewayCore = 0;
const otherCore = 1;

/** A gateway that runs, as the load sees it. */
export interface Running {
	readonly port: number;
	/** What stands before `/v1` in its paths; nothing unless said. */
	readonly base?: string;
	/** What a caller must send along. */
	readonly headers: Readonly<Record<string, string>>;
	/** Microseconds of CPU so far, bytes of memory now; NaN where there is no gateway between. */
	cpu(): number;
	memory(): number;
	stop(): Promise<void>;
	/** Ends it as a power cut would. */
	kill(): Promise<void>;
}

/** No gateway at all: the upstream itself. */
export function direct(upstreamPort: number): Running {
	return {
		port: upstreamPort,
		headers: {},
		cpu: () => Number.NaN,
		memory: () => Number.NaN,
		stop: async () => {},
		kill: async () => {},
	};
}

/** DuranteOS on a runtime, compiled as it is published, with the bound on its young generation that `dos start` gives it. */
export function duranteOs(
	name: string,
	runtime: "node" | "bun" = "node",
	args: readonly string[] = [],
): Program {
	return {
		name,
		file: compiled("studio.ts"),
		runtime,
		args,
		...(runtime === "node" && {
			env: { NODE_OPTIONS: "--max-semi-space-size=8" },
		}),
	};
}

/** A program of ours whose first line says port and key, on the core for gateways. */
export async function startGateway(
	program: Program,
	upstreamPort: number,
): Promise<Running> {
	const started = await startProgram({
		...program,
		args: [String(upstreamPort), ...(program.args ?? [])],
		cpu: gatewayCore,
	});
	return running(started);
}

/** What a started process is to a load. */
export function running(
	started: Started,
	headers?: Readonly<Record<string, string>>,
): Running {
	const key = String(started.ready.key ?? "none");
	return {
		port: Number(started.ready.port),
		headers: headers ?? { authorization: `Bearer ${key}` },
		cpu: started.cpu,
		memory: started.memory,
		stop: started.stop,
		kill: started.kill,
	};
}

/** An upstream that answers at once, or after 50 ms and with 10 ms between frames. */
export function startUpstreamProgram(paced: boolean): Promise<Started> {
	return startProgram({
		name: paced ? "paced upstream" : "upstream",
		file: "upstream.ts",
		args: paced ? ["50", "10"] : [],
		cpu: otherCore,
	});
}

export interface Scenario {
	readonly name: string;
	readonly stream: boolean;
	readonly connections: number;
	/** 50 ms to the first byte, 10 ms between frames; else as fast as it goes. */
	readonly paced?: boolean;
	readonly promptBytes?: number;
}

/** A figure that cannot be had is NaN. */
export interface Cell {
	/** Microseconds a call. */
	readonly cpu: number;
	/** The part of the gateway's core that others took meanwhile, 0 to 1. */
	readonly foreign: number;
	/** Bytes held under load: the middle of what was seen in the second half. */
	readonly memory: number;
	readonly load: LoadResult;
}

/**
 * Runtimes compile while they run: a gateway that has just started costs two to three times what it
 * costs ten seconds later. Plain calls until so many were answered, or so many seconds have passed.
 */
export async function warmUp(
	gateway: Running,
	{
		calls = 25_000,
		seconds = 15,
	}: { readonly calls?: number; readonly seconds?: number } = {},
): Promise<void> {
	const began = performance.now();
	let answered = 0;
	while (answered < calls && performance.now() - began < seconds * 1_000) {
		const asked = { body: requestBody(false), connections: 64, seconds: 1 };
		answered += (await putLoad(gateway, asked)).requests;
	}
}

/** Warms up for a moment, then puts a scenario's load on a gateway. */
export async function measure(
	gateway: Running,
	scenario: Scenario,
	seconds: number,
	before = 1,
): Promise<Cell> {
	const { stream, connections, promptBytes } = scenario;
	const asked = { body: requestBody(stream, promptBytes), connections };
	if (before > 0) await putLoad(gateway, { ...asked, seconds: before });
	const seen: number[] = [];
	const watch = setInterval(() => seen.push(gateway.memory()), 200);
	const [cpuBefore, busyBefore] = [gateway.cpu(), busyOf(gatewayCore)];
	const began = performance.now();
	const load = await putLoad(gateway, { ...asked, seconds });
	const cpu = gateway.cpu() - cpuBefore;
	const others = busyOf(gatewayCore) - busyBefore - (cpu || 0);
	const microseconds = (performance.now() - began) * 1_000;
	clearInterval(watch);
	return {
		cpu: cpu / load.requests,
		foreign: Math.min(1, Math.max(0, others / microseconds)),
		memory: plateau([...seen, gateway.memory()]),
		load,
	};
}

/** The middle of the second half. */
export function plateau(seen: readonly number[]): number {
	const half = seen.slice(seen.length >> 1).sort((a, b) => a - b);
	return half[half.length >> 1] ?? Number.NaN;
}

type Asked = Pick<
	LoadSpec,
	"body" | "connections" | "seconds" | "leaveEarly" | "once"
>;

/** Puts a load on a gateway, from a process of its own on the other core. */
async function putLoad(gateway: Running, asked: Asked): Promise<LoadResult> {
	const spec: LoadSpec = {
		port: gateway.port,
		path: `${gateway.base ?? ""}/v1/chat/completions`,
		headers: { ...gateway.headers, "user-agent": "benchmark" },
		...asked,
	};
	const run = await startProgram({
		name: "load",
		file: "load.ts",
		args: [JSON.stringify(spec)],
		cpu: otherCore,
		// Its first line is its last: it comes when the load is over.
		patience: asked.seconds * 1_000 + 60_000,
	});
	await run.stop();
	return run.ready as unknown as LoadResult;
}

export interface Left {
	readonly streams: number;
	readonly cancelled: number;
}

/** Fifty clients leave after the first bytes of a paced stream: how many of the upstream's streams end with them? */
export async function leaveEarly(
	gateway: Running,
	paced: Started,
): Promise<Left> {
	const before = await seenBy(paced);
	await putLoad(gateway, {
		body: requestBody(true),
		connections: 50,
		seconds: 1,
		leaveEarly: true,
		once: true,
	});
	// Streams take 0.4 s to their own end: what is cancelled later was not cancelled.
	await new Promise((resolve) => setTimeout(resolve, 600));
	const after = await seenBy(paced);
	return {
		streams: after.streams - before.streams,
		cancelled: after.cancelled - before.cancelled,
	};
}

async function seenBy(upstream: Started): Promise<Left> {
	const answer = await fetch(`http://127.0.0.1:${upstream.ready.port}/seen`);
	return (await answer.json()) as Left;
}
