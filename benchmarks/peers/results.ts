import type { Edge, Point } from "../lib/frontier.ts";
import type { Cell, Left, Scenario } from "../lib/gateways.ts";
import type { Verdict } from "./money.ts";
import type { Peer } from "./peer.ts";

export type ScenarioName =
	| "one"
	| "many"
	| "most"
	| "stream"
	| "large"
	| "paced";

/** What is measured of everyone. */
export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
	one: { name: "plain, 1 connection", stream: false, connections: 1 },
	many: { name: "plain, 64 connections", stream: false, connections: 64 },
	most: { name: "plain, 256 connections", stream: false, connections: 256 },
	stream: { name: "stream, 64 connections", stream: true, connections: 64 },
	large: {
		name: "100 KB prompt, 16 connections",
		stream: false,
		connections: 16,
		promptBytes: 100_000,
	},
	paced: {
		name: "paced stream, 64 connections",
		stream: true,
		connections: 64,
		paced: true,
	},
};

/**
 * A figure; null where there is none to have. CPU in microseconds a call, memory in bytes, times in
 * milliseconds; `foreign` is the part of the gateway's core that others took meanwhile.
 */
export type Figures = Readonly<
	Record<
		| "cpu"
		| "foreign"
		| "memory"
		| "perSecond"
		| "p50"
		| "p99"
		| "firstByteP50"
		| "firstByteP99"
		| "failed",
		number | null
	>
>;

export interface Contender {
	readonly id: string;
	readonly name: string;
	readonly kind: Peer["kind"];
	readonly conditions: string;
	readonly version: string;
	/** Why it is not in the comparison. */
	readonly skipped?: string;
	/** What went wrong on the way. */
	readonly notes: readonly string[];
	readonly figures: Readonly<Partial<Record<ScenarioName, Figures>>>;
	readonly frontier?: {
		readonly points: readonly Point[];
		readonly edges: readonly Edge[];
	};
	readonly left?: Left;
	readonly money?: readonly Verdict[];
}

export interface Results {
	/** ISO 8601. */
	readonly taken: string;
	readonly commit: string;
	readonly command: string;
	readonly machine: string;
	/** Seconds of load in a cell, rounds of them, and minutes in all. */
	readonly seconds: number;
	readonly rounds: number;
	readonly minutes: number;
	readonly contenders: readonly Contender[];
}

export function figuresOf({ cpu, foreign, memory, load }: Cell): Figures {
	const figure = (value: number | null) =>
		value === null || Number.isNaN(value) ? null : value;
	return {
		cpu: figure(cpu),
		foreign: figure(foreign),
		memory: figure(memory),
		perSecond: figure(load.perSecond),
		p50: figure(load.p50),
		p99: figure(load.p99),
		firstByteP50: figure(load.firstByteP50),
		firstByteP99: figure(load.firstByteP99),
		failed: figure(load.failed),
	};
}

/** What others took of the core until a cell counts as disturbed. */
const disturbance = 0.1;

/**
 * Of two rounds the one where fewer calls failed, then the one that others clearly disturbed less,
 * then the one that cost less CPU, as what others do only adds to it; without CPU, that waited less.
 */
export function better(one: Figures | undefined, other: Figures): Figures {
	if (!one) return other;
	if ((one.failed ?? 0) !== (other.failed ?? 0))
		return (one.failed ?? 0) < (other.failed ?? 0) ? one : other;
	const [mine, theirs] = [one.foreign ?? 0, other.foreign ?? 0];
	if (Math.abs(mine - theirs) > disturbance / 2)
		return mine < theirs ? one : other;
	const cost = ({ cpu, p50 }: Figures) =>
		cpu ?? p50 ?? Number.POSITIVE_INFINITY;
	return cost(other) < cost(one) ? other : one;
}

/** One figure of one contender; undefined where it was not measured. */
export function figure(
	results: Results,
	id: string,
	scenario: ScenarioName,
	name: keyof Figures,
): number | undefined {
	const contender = results.contenders.find((one) => one.id === id);
	return contender?.figures[scenario]?.[name] ?? undefined;
}

/** How much of what is shown others on the machine disturbed, in a sentence; nothing when it was quiet. */
export function disturbedOf(results: Results): string | undefined {
	const cells = results.contenders.flatMap(({ figures }) =>
		Object.values(figures),
	);
	const disturbed = cells.filter(
		({ foreign }) => (foreign ?? 0) > disturbance,
	).length;
	return disturbed === 0
		? undefined
		: `The machine was not quiet: in ${disturbed} of ${cells.length} cells others took more than a tenth of the gateway's core.`;
}

export interface Target {
	readonly name: string;
	readonly wanted: string;
	/** Undefined where a figure it needs is missing. */
	readonly seen?: string;
	/** Undefined too where others disturbed a cell it stands on. */
	readonly verdict?: "reached" | "not reached";
}

/** A figure of ours, as it is or held against another's in the same run. */
interface Aim {
	readonly name: string;
	readonly limit: number;
	/** More is better; else the limit is the most it may be. */
	readonly atLeast?: true;
	readonly unit: string;
	readonly of: string;
	readonly scenario: ScenarioName;
	readonly figure: keyof Figures;
	readonly dividedBy?: string;
	readonly less?: string;
	readonly scale?: number;
}

/** What we ask of ourselves. */
const aims: readonly Aim[] = [
	{
		name: "Node: calls a second at 64 connections",
		limit: 9,
		atLeast: true,
		unit: "× Portkey's",
		of: "ours-node",
		scenario: "many",
		figure: "perSecond",
		dividedBy: "portkey",
	},
	{
		name: "Node: CPU of a plain call",
		limit: 1.8,
		unit: "× the bare proxy's",
		of: "ours-node",
		scenario: "many",
		figure: "cpu",
		dividedBy: "bare-node",
	},
	{
		name: "Node: CPU of a stream",
		limit: 1.3,
		unit: "× the bare proxy's",
		of: "ours-node",
		scenario: "stream",
		figure: "cpu",
		dividedBy: "bare-node",
	},
	{
		name: "Node: CPU of a call with a 100 KB prompt",
		limit: 1,
		unit: "× the bare proxy's",
		of: "ours-node",
		scenario: "large",
		figure: "cpu",
		dividedBy: "bare-node",
	},
	{
		name: "Node: p50 at one connection, hold durable",
		limit: 1.2,
		unit: "ms",
		of: "ours-node",
		scenario: "one",
		figure: "p50",
	},
	{
		name: "Node: first byte of a paced stream at p99",
		limit: 10,
		unit: "ms over no gateway",
		of: "ours-node",
		scenario: "paced",
		figure: "firstByteP99",
		less: "direct",
	},
	{
		name: "Node: memory at 256 connections",
		limit: 150,
		unit: "MB",
		of: "ours-node",
		scenario: "most",
		figure: "memory",
		scale: 1e-6,
	},
	{
		name: "Bun: calls a second at 64 connections",
		limit: 16,
		atLeast: true,
		unit: "× Portkey's",
		of: "ours-bun",
		scenario: "many",
		figure: "perSecond",
		dividedBy: "portkey",
	},
	{
		name: "Bun: CPU of a plain call",
		limit: 2.2,
		unit: "× the bare Bun proxy's",
		of: "ours-bun",
		scenario: "many",
		figure: "cpu",
		dividedBy: "bare-bun",
	},
];

/** Our aims held against what was measured. */
export function targetsOf(results: Results): readonly Target[] {
	return aims.map((aim) => {
		const { name, limit, atLeast, unit, scenario } = aim;
		const wanted = `at ${atLeast ? "least" : "most"} ${limit} ${unit}`;
		const of = (id: string) =>
			figure(results, id, scenario, aim.figure) ?? Number.NaN;
		const seen =
			((of(aim.of) - (aim.less ? of(aim.less) : 0)) * (aim.scale ?? 1)) /
			(aim.dividedBy ? of(aim.dividedBy) : 1);
		if (!Number.isFinite(seen)) return { name, wanted };
		const told = { name, wanted, seen: `${round(seen)} ${unit}` };
		const disturbed = [aim.of, aim.less, aim.dividedBy].some(
			(id) =>
				id !== undefined &&
				(figure(results, id, scenario, "foreign") ?? 0) > disturbance,
		);
		if (disturbed) return told;
		const reached = atLeast ? seen >= limit : seen <= limit;
		return { ...told, verdict: reached ? "reached" : "not reached" };
	});
}

/** Three figures that count, no more than two behind the point, thousands apart. */
export function round(value: number): string {
	const places = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
	return value.toLocaleString("en-US", {
		minimumFractionDigits: 0,
		maximumFractionDigits: places,
	});
}
