import type { Decider } from "../../kernel/decider.ts";
import type { DomainEvent } from "../../kernel/event.ts";
import type { Usage } from "../../ports/price-book.ts";

/**
 * What calls of a key to a substrate really use, learned from the settlements in the log. It makes
 * holds right-sized: worst-case holds freeze budgets, low guesses leave costs that nobody paid.
 */
export interface SizingState {
	/** Newest samples by `key substrate`; the least recently used pair goes first. */
	readonly samples: Map<string, Sample[]>;
}

/** `[input bytes, input tokens, output tokens]` of one settled call. */
type Sample = readonly [bytes: number, input: number, output: number];

const samplesKept = 32;
/** Where the outputs of one pair are sorted: used within one turn, then free again. */
const sortable = new Float64Array(samplesKept);
const pairsKept = 5_000;

/** Folds settlements; takes no commands. */
export const sizing: Decider<SizingState, never> = {
	name: "sizing",
	format: 1,
	initial: () => ({ samples: new Map() }),
	decide: () => ({ ok: true, events: [] }),
	evolve(state, event: DomainEvent) {
		if (event.type !== "credits-settled") return state;
		const { key, substrate, basis, usage, inputBytes } = event.data as {
			key?: string;
			substrate: string;
			basis: string;
			usage: Usage;
			inputBytes?: number;
		};
		if (basis === "estimated" || !inputBytes) return state;
		const [input, output] = [inputTokens(usage), outputTokens(usage)];
		// What was paid by the piece says nothing of tokens.
		if (input + output === 0) return state;
		const pair = pairOf(key, substrate);
		const kept = state.samples.get(pair) ?? [];
		// The only one is the newest already, and a map that is emptied makes itself anew each time.
		if (state.samples.size > 1) state.samples.delete(pair);
		if (kept.length >= samplesKept) kept.shift();
		kept.push([inputBytes, input, output]);
		state.samples.set(pair, kept);
		if (state.samples.size > pairsKept)
			state.samples.delete(state.samples.keys().next().value as string);
		return state;
	},
	save: (state) => [...state.samples],
	load: (saved) => ({ samples: new Map(saved as [string, Sample[]][]) }),
};

/** What a call will probably use. */
export interface Expected {
	/** Input tokens: a bound for a first call, later a little above the densest that was seen; and what a usual one took. */
	readonly input: number;
	readonly inputUsual: number;
	/** Output tokens: what nearly every call stayed under, and what a usual one took. */
	readonly outputHigh: number;
	readonly outputUsual: number;
	/** Calls it was learned from; 0 when it is only a rule of thumb. */
	readonly samples: number;
}

/** Input tokens that an image, a document or a sound may cost although its bytes are not text. */
const tokensPerMedia = 2_500;

export function expect(
	state: SizingState,
	key: string | undefined,
	substrate: string,
	inputBytes: number,
	mediaParts: number,
): Expected {
	const media = mediaParts * tokensPerMedia;
	const samples = state.samples.get(pairOf(key, substrate));
	if (!samples || samples.length === 0) {
		// No tokenizer makes more than one token of a byte; what a vendor adds of its own stays below the floor.
		const input = Math.max(inputBytes, 1_000) + media;
		return {
			input,
			// English and code run at 3 to 5 bytes a token.
			inputUsual: Math.ceil(inputBytes / 4) + media,
			outputHigh: 4_096,
			outputUsual: 256,
			samples: 0,
		};
	}
	let input = 0;
	const outputs = sortable.subarray(0, samples.length);
	for (let index = 0; index < samples.length; index++) {
		const [bytes, tokens, output] = samples[index] as Sample;
		input = Math.max(input, Math.ceil((inputBytes * tokens) / bytes));
		outputs[index] = output;
	}
	outputs.sort();
	const high = outputs[outputs.length - 1] as number;
	return {
		input: Math.ceil(input * 1.1) + media,
		inputUsual: Math.max(1, input),
		// With few samples the highest seen is no bound yet.
		outputHigh:
			samples.length < 8 ? Math.max(2 * high, 256) : Math.ceil(high * 1.25),
		outputUsual: outputs[outputs.length >> 1] as number,
		samples: samples.length,
	};
}

export function inputTokens(usage: Usage): number {
	return (
		(usage.input ?? 0) +
		(usage["cache-read"] ?? 0) +
		(usage["cache-write-5m"] ?? 0) +
		(usage["cache-write-1h"] ?? 0) +
		(usage["input-audio"] ?? 0) +
		(usage["cache-read-audio"] ?? 0) +
		(usage["input-image"] ?? 0) +
		(usage["cache-read-image"] ?? 0)
	);
}

export function outputTokens(usage: Usage): number {
	return (
		(usage.output ?? 0) +
		(usage.reasoning ?? 0) +
		(usage["output-audio"] ?? 0) +
		(usage["output-image"] ?? 0)
	);
}

function pairOf(key: string | undefined, substrate: string): string {
	return `${key ?? "-"} ${substrate}`;
}
