import type { DomainEvent } from "../../kernel/event.ts";
import type { Chance } from "../../ports/chance.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Digest } from "../../ports/digest.ts";
import type { Usage } from "../../ports/price-book.ts";
import {
	errorSteps,
	type Health,
	type HealthSnapshot,
} from "../routing/index.ts";
import { dropLeast, type ErrorClass, openBreakers } from "./breakers.ts";
import type { Metrics } from "./metrics.ts";
import { outputTokens } from "./sizing.ts";
import { errorClassOf } from "./vendor-refusals.ts";

/** How substrates do: what is measured here and elsewhere, counting less with time, and what rests. */
export interface Vitals {
	/** Health by substrate, in steps. The same object while nothing leaves its step; another at most once a second. */
	snapshot(): HealthSnapshot;
	/** Whether it may be called now. False while a breaker of it is open; when that is due for a probe, true for one caller, whose outcome decides. */
	mayCall(substrate: string): boolean;
	/**
	 * The first byte of a good answer came, so many milliseconds after it was asked for. Lets others through where this
	 * was a probe; `saw` still tells all at the end.
	 */
	answered(substrate: string, firstByte: number): void;
	/** What was seen of one attempt, here and now. */
	saw(substrate: string, seen: AttemptSeen): void;
	/** What other processes saw, from the log's events (settled, released). Those of calls of this process are left out. */
	fold(events: readonly DomainEvent[]): void;
}

export type { ErrorClass };

export interface AttemptSeen {
	/** What the vendor refused because of the client's request is `ok`. */
	readonly ending: "ok" | ErrorClass;
	/** Milliseconds from sending this attempt to its first byte, and to its end. */
	readonly firstByte?: number;
	readonly total?: number;
	readonly outputTokens?: number;
}

/** Milliseconds in which a call comes to count half: for errors, and for speed. */
const errorHalfLife = 120_000;
const speedHalfLife = 900_000;
/** Speed follows the newest so many calls. */
const speedMemory = 30;
/** What counts less than so much of a call is forgotten. */
const leastWeight = 0.1;
/** Good calls that are taken for granted: a first failure is no bad health yet. */
const presumed = 5;
/** Steps of speed in each doubling. What is measured must leave a step by so much of one to be told. */
const stepsADoubling = 2;
const reluctance = 0.2;
/** An answer of fewer tokens, or that came in fewer milliseconds, tells no throughput. */
const fewTokens = 20;
const shortAnswer = 100;
/** Milliseconds after which what others saw is no news. */
const old = 300_000;
const between = 1_000;
const mostKnown = 2_000;

/** An average of logarithms, so that one slow call among twenty does not count as twenty; newer calls count more. */
interface Average {
	weight: number;
	sum: number;
	at: number;
	/** The step that was told last. */
	step: number | undefined;
}

interface Measured {
	readonly firstByte: Average;
	readonly throughput: Average;
	failed: number;
	all: number;
	at: number;
	errorStep: number;
	health: Health | undefined;
}

export function openVitals(options: {
	readonly clock: Pick<Clock, "now">;
	readonly digest: Pick<Digest, "text">;
	readonly chance: Pick<Chance, "bytes">;
	/** Whether a call is carried out here, until its resolution was heard of. */
	readonly carries: (call: string) => boolean;
	readonly metrics?: Pick<Metrics, "count" | "gauge">;
}): Vitals {
	const { clock, digest, chance, carries, metrics } = options;
	const known = new Map<string, Measured>();
	const breakers = openBreakers({
		clock,
		random: () => (chance.bytes(1)[0] as number) / 256,
		onOpen: (substrate, of) =>
			metrics?.count("dos_breakers_opened_total", { substrate, class: of }),
	});
	let told: HealthSnapshot = { version: "none", of: new Map() };
	let toldAt = Number.NEGATIVE_INFINITY;

	metrics?.gauge(
		"dos_breakers_open",
		"1 for each breaker that is open, by substrate and class of error.",
		function* () {
			for (const [substrate, of] of breakers.open())
				yield [{ substrate, class: of }, 1];
		},
	);

	function measured(substrate: string, now: number): Measured {
		let one = known.get(substrate);
		if (one) return one;
		if (known.size >= mostKnown) dropLeast(known, ({ all }) => all);
		one = {
			firstByte: { weight: 0, sum: 0, at: now, step: undefined },
			throughput: { weight: 0, sum: 0, at: now, step: undefined },
			failed: 0,
			all: 0,
			at: now,
			errorStep: 0,
			health: undefined,
		};
		known.set(substrate, one);
		return one;
	}

	function take(
		substrate: string,
		{ ending, firstByte, total, outputTokens }: AttemptSeen,
		ended: number,
		here: boolean,
	): void {
		const now = clock.now();
		const began = total === undefined ? ended : ended - total;
		if (ending === "key") {
			if (here) breakers.undecided(substrate, began);
			return;
		}
		const one = measured(substrate, now);
		fade(one, now);
		one.all++;
		if (ending === "ok") {
			closing(substrate, () => breakers.succeeded(substrate, began));
		} else {
			one.failed++;
			breakers.failed(substrate, ending, began, here);
		}
		if (firstByte === undefined || ending !== "ok") return;
		learn(one.firstByte, Math.max(1, firstByte), now);
		const took = (total ?? 0) - firstByte;
		if (
			outputTokens !== undefined &&
			outputTokens >= fewTokens &&
			took >= shortAnswer
		)
			learn(one.throughput, (outputTokens * 1000) / took, now);
	}

	/** What failed before it rested says nothing of how it is now. */
	function closing(substrate: string, told: () => void): void {
		const wasOpen = breakers.isOpen(substrate);
		told();
		const one = known.get(substrate);
		if (one && wasOpen && !breakers.isOpen(substrate)) {
			one.failed = 0;
			one.errorStep = 0;
		}
	}

	function look(now: number): void {
		const of = new Map<string, Health>();
		let changed = false;
		for (const [substrate, one] of known) {
			const health = healthOf(substrate, one, now);
			if (health === nothing && one.all < leastWeight) known.delete(substrate);
			if (health !== (one.health ?? nothing)) {
				changed = true;
				one.health = health;
			}
			if (health !== nothing) of.set(substrate, health);
		}
		if (!changed && of.size === told.of.size) return;
		const content = [...of].sort(([a], [b]) => (a < b ? -1 : 1));
		told = {
			version: digest.text(JSON.stringify(content)).slice(0, 12),
			of,
		};
	}

	/** The same object while no step was left. */
	function healthOf(substrate: string, one: Measured, now: number): Health {
		fade(one, now);
		const { firstByte, throughput } = one;
		const errors = Math.round((10_000 * one.failed) / (one.all + presumed));
		one.errorStep = errorStepOf(errors, one.errorStep);
		firstByte.step = stepOf(firstByte, now);
		throughput.step = stepOf(throughput, now);
		const resting = breakers.rests(substrate);
		const before = one.health ?? nothing;
		const next: Health = {
			...(firstByte.step === undefined
				? {}
				: { firstByte: middleOf(firstByte.step) }),
			...(throughput.step === undefined
				? {}
				: { throughput: middleOf(throughput.step) }),
			// Once it is due for a probe it has to be asked, to show how it is.
			...(one.errorStep === 0 || (!resting && breakers.isOpen(substrate))
				? {}
				: { errors: errorSteps[one.errorStep - 1] as number }),
			...(resting && { resting }),
		};
		if (isSame(before, next)) return before;
		return isSame(nothing, next) ? nothing : next;
	}

	return {
		snapshot() {
			const now = clock.now();
			const passed = now - toldAt;
			if (passed < 0 || passed >= between) {
				toldAt = now;
				look(now);
			}
			return told;
		},
		mayCall: breakers.mayCall,
		answered(substrate, firstByte) {
			closing(substrate, () =>
				breakers.answered(substrate, clock.now() - firstByte),
			);
		},
		saw(substrate, seen) {
			take(substrate, seen, clock.now(), true);
		},
		fold(events) {
			const now = clock.now();
			for (const event of events) {
				if (
					event.type !== "credits-settled" &&
					event.type !== "credits-released"
				)
					continue;
				if (now - event.time > old) continue;
				const data = event.data as unknown as Resolved;
				if (carries(data.call)) continue;
				for (const [substrate, seen] of attemptsOf(data))
					take(substrate, seen, event.time, false);
			}
		},
	};
}

/** What is read of `credits-settled` and `credits-released`. */
interface Resolved {
	readonly call: string;
	readonly substrate: string;
	readonly ending: string;
	readonly status?: number;
	readonly usage?: Usage;
	readonly timing?: { readonly firstByte?: number; readonly total: number };
	readonly attempts?: readonly (readonly [
		substrate: string,
		ending: string,
		took: number,
	])[];
}

function* attemptsOf(
	data: Resolved,
): Iterable<readonly [substrate: string, seen: AttemptSeen]> {
	const { attempts, substrate, timing, usage } = data;
	if (attempts === undefined || attempts.length === 0) {
		const ending = endingOf(data);
		if (ending)
			yield [
				substrate,
				{
					ending,
					...timing,
					...(usage && { outputTokens: outputTokens(usage) }),
				},
			];
		return;
	}
	for (const [at, text, total] of attempts) {
		const ending = readEnding(text);
		if (ending) yield [at, { ending, total }];
	}
}

function endingOf({
	ending,
	status,
}: Resolved): AttemptSeen["ending"] | undefined {
	switch (ending) {
		case "finished":
			return "ok";
		case "vendor-error":
			return errorClassOf(status ?? 500) ?? "ok";
		case "vendor-broke-off":
			return "broke-off";
		case "timeout":
			return "timeout";
		default:
			return undefined;
	}
}

const endings: ReadonlySet<string> = new Set<AttemptSeen["ending"]>([
	"ok",
	"connect",
	"timeout",
	"overload",
	"server",
	"broke-off",
	"key",
]);

/** An ending as the log has it: the class of error or `ok`, then the code where there is one. Without a class, nobody was asked or nobody failed. */
function readEnding(text: string): AttemptSeen["ending"] | undefined {
	const [first = "", code = ""] = text.split(" ");
	if (!endings.has(first)) return undefined;
	// No key had room: nothing was sent.
	if (code === "vendor/rate-limited") return undefined;
	return first as AttemptSeen["ending"];
}

const nothing: Health = {};

function isSame(one: Health, other: Health): boolean {
	return (
		one.firstByte === other.firstByte &&
		one.throughput === other.throughput &&
		one.errors === other.errors &&
		one.resting === other.resting
	);
}

function fade(one: Measured, now: number): void {
	const left = 0.5 ** (Math.max(0, now - one.at) / errorHalfLife);
	one.failed *= left;
	one.all *= left;
	one.at = now;
}

function learn(average: Average, value: number, now: number): void {
	const left = 0.5 ** (Math.max(0, now - average.at) / speedHalfLife);
	const weight = Math.min(average.weight * left, speedMemory - 1);
	const mean = average.weight === 0 ? 0 : average.sum / average.weight;
	average.weight = weight + 1;
	average.sum = mean * weight + Math.log2(value);
	average.at = now;
}

/** Where it is told to be: another step than the last only when it has clearly left that. */
function stepOf(
	{ weight, sum, at, step }: Average,
	now: number,
): number | undefined {
	const left = 0.5 ** (Math.max(0, now - at) / speedHalfLife);
	if (weight * left < leastWeight) return undefined;
	const place = (sum / weight) * stepsADoubling;
	if (
		step !== undefined &&
		place >= step - reluctance &&
		place < step + 1 + reluctance
	)
		return step;
	return Math.floor(place);
}

/** The middle of a step. */
function middleOf(step: number): number {
	return Math.round(2 ** ((step + 0.5) / stepsADoubling) * 10) / 10;
}

function errorStepOf(errors: number, before: number): number {
	const step = errorSteps.filter((from) => errors >= from).length;
	// Down only when it has clearly left it.
	if (step < before && errors >= (errorSteps[before - 1] as number) * 0.8)
		return before;
	return step;
}
