import type { Clock } from "../../ports/clock.ts";

/** What of a substrate fails by itself, whoever calls it. */
export type BreakerClass =
	| "connect"
	| "timeout"
	| "overload"
	| "server"
	| "broke-off";

/** `key`: the vendor refused or limited the key that an attempt was made with; that says nothing of the substrate. */
export type ErrorClass = BreakerClass | "key";

/**
 * A breaker for each substrate and class of error. It opens after so many failures with no success between them,
 * or when a share of the newest calls fails so; rests, longer each time it opens again soon; then lets one probe at
 * a time through, whose outcome closes it or opens it again.
 */
export interface Breakers {
	/** False while a breaker is open. When all that are open are due: true for one caller, the probe. */
	mayCall(substrate: string): boolean;
	/** Whether it is to get no traffic: one is open, and not due for a probe or waiting for what the probe comes to. */
	rests(substrate: string): boolean;
	/** Whether any is open, due or not. */
	isOpen(substrate: string): boolean;
	/** The probe got its first byte: there is no need to wait for its last to let others through. */
	answered(substrate: string, began: number): void;
	/** Here or elsewhere: what began after a breaker opened and went well closes it. */
	succeeded(substrate: string, began: number): void;
	failed(
		substrate: string,
		of: BreakerClass,
		began: number,
		here: boolean,
	): void;
	/** The probe came to no verdict: another may go. */
	undecided(substrate: string, began: number): void;
	/** Those open now. */
	open(): Iterable<readonly [substrate: string, of: BreakerClass]>;
}

interface Rule {
	/** Failures with no success between them. */
	readonly inRow: number;
	/** Of a hundred of the newest calls, where there were enough. */
	readonly percent: number;
	/** Milliseconds of the first rest, and of the longest. */
	readonly rest: number;
	readonly longest: number;
}

/** Who cannot be reached is known soon, and costs little to ask again; a timeout has cost a caller all its patience. */
const rules: Readonly<Record<BreakerClass, Rule>> = {
	connect: { inRow: 3, percent: 50, rest: 5_000, longest: 60_000 },
	timeout: { inRow: 3, percent: 30, rest: 15_000, longest: 300_000 },
	overload: { inRow: 5, percent: 50, rest: 5_000, longest: 60_000 },
	server: { inRow: 5, percent: 50, rest: 10_000, longest: 120_000 },
	"broke-off": { inRow: 5, percent: 50, rest: 10_000, longest: 120_000 },
};

/** Calls that a share is taken of, at least. */
const enough = 10;
/** Milliseconds in which a call comes to count half. */
const halfLife = 30_000;
/** After so many half-lives without a call, what failed before is no row any more. */
const forgotten = 10;
/** Milliseconds after which a probe that nobody reports of is given up. */
const probePatience = 30_000;
/** Names of substrates come from clients: only so many are known, those called last. */
const mostKnown = 2_000;

interface Breaker {
	/** Failures, each counting less with time. */
	failed: number;
	inRow: number;
	/** Since when it is open; undefined: closed. */
	opened: number | undefined;
	/** Milliseconds that it rests. */
	rest: number;
	/** When its probe was let through. */
	probe: number | undefined;
	/** Times it opened, soon one after the other. */
	times: number;
	closed: number;
}

interface Watched {
	/** Calls, each counting less with time, as of `at`. */
	all: number;
	at: number;
	/** How many of its breakers are open. */
	open: number;
	readonly breakers: Map<BreakerClass, Breaker>;
}

export function openBreakers(options: {
	readonly clock: Pick<Clock, "now">;
	/** From 0 up to 1. */
	readonly random: () => number;
	/** Hears of each that opens. */
	readonly onOpen?: (substrate: string, of: BreakerClass) => void;
}): Breakers {
	const { clock, random, onOpen = () => {} } = options;
	const known = new Map<string, Watched>();

	function watch(substrate: string, now: number): Watched {
		let watched = known.get(substrate);
		if (!watched) {
			if (known.size >= mostKnown) dropLeast(known, ({ at }) => at);
			watched = { all: 0, at: now, open: 0, breakers: new Map() };
			known.set(substrate, watched);
		}
		const halves = Math.max(0, now - watched.at) / halfLife;
		const left = 0.5 ** halves;
		watched.at = now;
		watched.all = watched.all * left + 1;
		for (const breaker of watched.breakers.values()) {
			breaker.failed *= left;
			if (halves > forgotten) breaker.inRow = 0;
		}
		return watched;
	}

	function open(
		substrate: string,
		watched: Watched,
		of: BreakerClass,
		breaker: Breaker,
		now: number,
	): void {
		const { rest, longest } = rules[of];
		if (breaker.opened === undefined) {
			watched.open++;
			if (now - breaker.closed > longest) breaker.times = 0;
			onOpen(substrate, of);
		}
		breaker.times++;
		breaker.opened = now;
		breaker.probe = undefined;
		// Those that opened together do not probe together.
		breaker.rest =
			Math.min(longest, rest * 2 ** (breaker.times - 1)) *
			(0.75 + random() / 2);
		breaker.failed = 0;
		breaker.inRow = 0;
	}

	function close(watched: Watched, breaker: Breaker, now: number): void {
		watched.open--;
		breaker.opened = undefined;
		breaker.probe = undefined;
		breaker.closed = now;
	}

	return {
		mayCall(substrate) {
			const watched = known.get(substrate);
			if (!watched || watched.open === 0) return true;
			const now = clock.now();
			if (!isDue(watched, now)) return false;
			for (const breaker of watched.breakers.values())
				if (breaker.opened !== undefined) breaker.probe = now;
			return true;
		},
		rests(substrate) {
			const watched = known.get(substrate);
			return (
				watched !== undefined &&
				watched.open > 0 &&
				!isDue(watched, clock.now())
			);
		},
		isOpen: (substrate) => (known.get(substrate)?.open ?? 0) > 0,
		answered(substrate, began) {
			const watched = known.get(substrate);
			if (!watched || watched.open === 0) return;
			for (const [of, breaker] of watched.breakers)
				if (of !== "broke-off" && isProbe(breaker, began))
					close(watched, breaker, clock.now());
		},
		succeeded(substrate, began) {
			const now = clock.now();
			const watched = watch(substrate, now);
			for (const breaker of watched.breakers.values()) {
				breaker.inRow = 0;
				if (breaker.opened !== undefined && began > breaker.opened)
					close(watched, breaker, now);
			}
		},
		failed(substrate, of, began, here) {
			const now = clock.now();
			const watched = watch(substrate, now);
			if (watched.open > 0) {
				if (!here) return;
				for (const [each, breaker] of watched.breakers)
					if (isProbe(breaker, began))
						open(substrate, watched, each, breaker, now);
				return;
			}
			let breaker = watched.breakers.get(of);
			if (!breaker) {
				breaker = {
					failed: 0,
					inRow: 0,
					opened: undefined,
					rest: 0,
					probe: undefined,
					times: 0,
					closed: now,
				};
				watched.breakers.set(of, breaker);
			}
			breaker.failed++;
			breaker.inRow++;
			const { inRow, percent } = rules[of];
			const share = (100 * breaker.failed) / watched.all;
			if (breaker.inRow >= inRow || (watched.all >= enough && share >= percent))
				open(substrate, watched, of, breaker, now);
		},
		undecided(substrate, began) {
			for (const breaker of known.get(substrate)?.breakers.values() ?? [])
				if (isProbe(breaker, began)) breaker.probe = undefined;
		},
		*open() {
			for (const [substrate, { open, breakers }] of known) {
				if (open === 0) continue;
				for (const [of, { opened }] of breakers)
					if (opened !== undefined) yield [substrate, of];
			}
		},
	};
}

/** All that are open have rested, and no probe is under way. */
function isDue({ breakers }: Watched, now: number): boolean {
	for (const { opened, rest, probe } of breakers.values()) {
		if (opened === undefined) continue;
		if (isWithin(now - opened, rest)) return false;
		if (probe !== undefined && isWithin(now - probe, probePatience))
			return false;
	}
	return true;
}

/**
 * Whether a call decides: the probe, or one that was made without asking once the rest was over. What began before
 * says nothing of how it is now.
 */
function isProbe({ opened, rest, probe }: Breaker, began: number): boolean {
	return opened !== undefined && began >= (probe ?? opened + rest);
}

/** A clock that was set back makes nothing last longer. */
function isWithin(passed: number, span: number): boolean {
	return passed >= 0 && passed < span;
}

/** Looks at all, so that what is used often costs nothing to keep. */
export function dropLeast<T>(
	known: Map<string, T>,
	measure: (one: T) => number,
): void {
	let least = Number.POSITIVE_INFINITY;
	let name = "";
	for (const [each, one] of known) {
		const measured = measure(one);
		if (measured >= least) continue;
		least = measured;
		name = each;
	}
	known.delete(name);
}
