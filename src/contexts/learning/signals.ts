import type { Answer } from "./checks.ts";
import { readSchema, tooMuch } from "./json-schema.ts";
import type { Signals } from "./model.ts";

/** What a request asked for, as far as its answer can be held against it. */
export interface AskedShape {
	/** The JSON schema that the text must keep. */
	readonly schema?: unknown;
	/** The tools that were offered, with the schemas of their arguments. */
	readonly tools?: readonly {
		readonly name: string;
		readonly schema?: unknown;
		/** It takes plain text, of which anything is right. */
		readonly text?: boolean;
	}[];
	/** There are tools beside these: a name that is not among them may be right. */
	readonly others?: boolean;
}

/** Larger answers are not looked at: this runs beside calls. */
const mostText = 262_144;
const mostSteps = 20_000;

/**
 * What a whole answer shows of itself. Only what can be judged is there: no member for a schema that is not
 * understood, for an answer that calls tools instead of answering, or for one that calls none. Never throws, and runs
 * no regular expression of a stranger's.
 */
export function signalsOf(asked: AskedShape, answer: Answer): Signals {
	const { text, toolCalls } = answer;
	const schema =
		asked.schema !== undefined && toolCalls.length === 0
			? keeps(text, asked.schema)
			: undefined;
	const tools =
		asked.tools !== undefined && toolCalls.length > 0
			? callsFit(asked.tools, asked.others === true, answer)
			: undefined;
	return {
		...(schema !== undefined && { schema }),
		...(tools !== undefined && { tools }),
	};
}

function callsFit(
	offered: NonNullable<AskedShape["tools"]>,
	others: boolean,
	{ toolCalls }: Answer,
): boolean | undefined {
	let unsure = false;
	for (const call of toolCalls) {
		const tool = offered.find(({ name }) => name === call.name);
		if (!tool && !others) return false;
		unsure ||= !tool;
		if (!tool || tool.text) continue;
		// A tool without parameters may be called with nothing.
		const fits = keeps(call.arguments || "{}", tool.schema ?? true);
		if (fits === false) return false;
		unsure ||= fits === undefined;
	}
	return unsure ? undefined : true;
}

function keeps(text: string, schema: unknown): boolean | undefined {
	if (text.length > mostText) return undefined;
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return false;
	}
	const check = readSchema(schema, { patterns: false, steps: mostSteps });
	if (typeof check === "string") return undefined;
	const mismatch = check.mismatch(value);
	return mismatch === tooMuch ? undefined : mismatch === undefined;
}

/** Notices a client that asks the same again soon: what it got was perhaps not good enough. */
export interface Repeats {
	/**
	 * A request of a key, by a hash of what it asks. Gives the earlier call that it repeats: the same hash within the
	 * time, whose answer had come. Replays under one idempotency key are no repeats, and do not belong here.
	 */
	saw(key: string, hash: string, call: string, now: number): string | undefined;
	/** The call was answered in full: only what was answered can be asked again. */
	answered(call: string, now: number): void;
}

/** Remembers at most `most` requests, those first asked last, for `within` milliseconds from their answer on. */
export function openRepeats(
	options: { readonly within?: number; readonly most?: number } = {},
): Repeats {
	const { within = 120_000, most = 10_000 } = options;
	const byRequest = new Map<string, Seen>();
	/** Those that were not answered yet. */
	const byCall = new Map<string, Seen>();

	function forgetOldest(): void {
		for (const [request, { call }] of byRequest) {
			byCall.delete(call);
			byRequest.delete(request);
			return;
		}
	}

	return {
		saw(key, hash, call, now) {
			const request = `${key} ${hash}`;
			let seen = byRequest.get(request);
			const before = seen?.call;
			const answered = seen?.answered;
			if (seen) {
				byCall.delete(seen.call);
				seen.call = call;
				seen.answered = undefined;
			} else {
				if (byRequest.size >= most) forgetOldest();
				seen = { call, answered: undefined };
				byRequest.set(request, seen);
			}
			byCall.set(call, seen);
			return answered !== undefined && now - answered <= within
				? before
				: undefined;
		},
		answered(call, now) {
			const seen = byCall.get(call);
			if (!seen) return;
			byCall.delete(call);
			seen.answered = now;
		},
	};
}

/** A request, by the last call that asked it. */
interface Seen {
	call: string;
	answered: number | undefined;
}
