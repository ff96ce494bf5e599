import type { Clock } from "../../ports/clock.ts";
import type { Metrics } from "./metrics.ts";
import type { ActiveVendor, VendorKey } from "./substrates.ts";

/** Which of its keys a vendor is called with. Knows keys by the owner's names for them, never by what they are. */
export interface VendorKeys {
	/**
	 * A key with room for a call of so many tokens, spread by weight; or in how many milliseconds one has room.
	 * Keys that the vendor refused or limited rest, for this model or for all. What is given is counted at once.
	 */
	take(
		vendor: ActiveVendor,
		tokens: number,
		model?: string,
	): VendorKey | { readonly retryAfter: number };
	/** The vendor refused it (401, 402; 403 with the model that it may not call): it rests for minutes, longer each time. */
	refused(vendor: string, key: string, model?: string): void;
	/** The vendor said to come again in so many milliseconds; undefined: later. */
	limited(
		vendor: string,
		key: string,
		retryAfter: number | undefined,
		model?: string,
	): void;
}

/** Milliseconds that a refused key rests the first time, and at most. */
const refusedRest = 60_000;
const longestRefused = 900_000;
/** Milliseconds that a limited key rests when the vendor does not say, and at least and most when it does. */
const limitedRest = 1_000;
const shortestLimited = 100;
const longestLimited = 600_000;
/** Models that may rest for one key: their names come from clients. */
const mostModels = 200;

interface Rest {
	from: number;
	span: number;
	/** Whether the vendor refused the key, rather than limited it. */
	refused: boolean;
}

/** What flows in evenly over a minute. */
interface Bucket {
	left: number;
	at: number;
}

interface KeyState {
	/** What it is behind or ahead of its share. */
	credit: number;
	requests: Bucket | undefined;
	tokens: Bucket | undefined;
	/** By model; under "" for all. */
	readonly rests: Map<string, Rest>;
}

export function openVendorKeys(options: {
	readonly clock: Pick<Clock, "now">;
	/** Processes that the vendor's limits are divided among. */
	readonly replicas?: () => number;
	readonly metrics?: Pick<Metrics, "gauge">;
}): VendorKeys {
	const { clock, replicas = () => 1, metrics } = options;
	const vendors = new Map<string, Map<string, KeyState>>();

	function stateOf(vendor: string, key: string): KeyState {
		let keys = vendors.get(vendor);
		if (!keys) {
			keys = new Map();
			vendors.set(vendor, keys);
		}
		let state = keys.get(key);
		if (!state) {
			state = {
				credit: 0,
				requests: undefined,
				tokens: undefined,
				rests: new Map(),
			};
			keys.set(key, state);
		}
		return state;
	}

	function rest(
		{ rests }: KeyState,
		model: string,
		span: number,
		refused: boolean,
		now: number,
	): void {
		if (rests.size > mostModels && !rests.has(model)) {
			const [first, second] = rests.keys();
			rests.delete((first === "" ? second : first) as string);
		}
		rests.set(model, { from: now, span, refused });
	}

	/** Milliseconds until it has room; 0: now. */
	function untilRoom(
		key: VendorKey,
		state: KeyState,
		tokens: number,
		model: string,
		now: number,
	): number {
		let wait = Math.max(
			restLeft(state.rests.get(""), now),
			restLeft(state.rests.get(model), now),
		);
		const { requestsPerMinute, tokensPerMinute } = key;
		if (requestsPerMinute !== undefined) {
			const share = Math.max(1, requestsPerMinute / replicas());
			state.requests = filled(state.requests, share, now);
			wait = Math.max(wait, untilLeft(state.requests, 1, share));
		}
		if (tokensPerMinute !== undefined) {
			const share = Math.max(1, tokensPerMinute / replicas());
			state.tokens = filled(state.tokens, share, now);
			// What is larger than a minute allows goes when the whole minute is free.
			wait = Math.max(
				wait,
				untilLeft(state.tokens, Math.min(tokens, share), share),
			);
		}
		return wait;
	}

	metrics?.gauge(
		"dos_vendor_keys_resting",
		"Keys of vendors that rest because the vendor refused or limited them, for all models or for some.",
		function* () {
			const now = clock.now();
			for (const [vendor, keys] of vendors)
				for (const [key, { rests }] of keys) {
					const resting = [...rests].filter(
						([, each]) => restLeft(each, now) > 0,
					);
					if (resting.length === 0) continue;
					const whole = resting.some(([model]) => model === "");
					yield [{ vendor, key, for: whole ? "all" : "some" }, 1];
				}
		},
	);

	return {
		take(vendor, tokens, model = "") {
			const now = clock.now();
			let best: { key: VendorKey; state: KeyState } | undefined;
			let total = 0;
			let retryAfter = Number.POSITIVE_INFINITY;
			for (const key of vendor.keys) {
				const state = stateOf(vendor.id, key.id);
				const wait = untilRoom(key, state, tokens, model, now);
				if (wait > 0) {
					retryAfter = Math.min(retryAfter, wait);
					continue;
				}
				state.credit += key.weight;
				total += key.weight;
				if (!best || state.credit > best.state.credit) best = { key, state };
			}
			if (!best) return { retryAfter: Math.ceil(retryAfter) };
			const { key, state } = best;
			state.credit -= total;
			if (state.requests) state.requests.left -= 1;
			if (state.tokens) state.tokens.left -= tokens;
			return key;
		},
		refused(vendor, key, model = "") {
			const now = clock.now();
			const state = stateOf(vendor, key);
			const last = state.rests.get(model);
			if (last?.refused) {
				// Calls that were under way when it was refused say nothing new.
				if (restLeft(last, now) > 0) return;
				const again = now - last.from - last.span < last.span;
				const span = again
					? Math.min(longestRefused, last.span * 2)
					: refusedRest;
				rest(state, model, span, true, now);
			} else rest(state, model, refusedRest, true, now);
		},
		limited(vendor, key, retryAfter = limitedRest, model = "") {
			const now = clock.now();
			const state = stateOf(vendor, key);
			const span = Math.min(
				longestLimited,
				Math.max(shortestLimited, retryAfter),
			);
			const last = state.rests.get(model);
			if (restLeft(last, now) < span) rest(state, model, span, false, now);
		},
	};
}

/** Milliseconds; a clock that was set back makes none longer. */
function restLeft(rest: Rest | undefined, now: number): number {
	if (!rest) return 0;
	const passed = now - rest.from;
	return passed < 0 ? 0 : Math.max(0, rest.span - passed);
}

function filled(
	bucket: Bucket | undefined,
	perMinute: number,
	now: number,
): Bucket {
	if (!bucket) return { left: perMinute, at: now };
	const passed = Math.max(0, now - bucket.at);
	bucket.left = Math.min(
		perMinute,
		bucket.left + (passed * perMinute) / 60_000,
	);
	bucket.at = now;
	return bucket;
}

/** Milliseconds until so much is left. A millionth is not waited for: rounding, after just that wait, may leave as much short. */
function untilLeft(bucket: Bucket, wanted: number, perMinute: number): number {
	const short = wanted - bucket.left;
	return short > 1e-6 ? (short * 60_000) / perMinute : 0;
}
