import type { AnswerStore, KeptAnswer } from "../../ports/answer-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Digest } from "../../ports/digest.ts";
import type { HttpRequest } from "../../ports/http-server.ts";
import type { WireOperation, WireRequest } from "../../ports/wire-protocol.ts";
import type { Plan } from "./plan.ts";

/** Where an answer would stand for the next like request. */
export interface CachePlace {
	readonly key: string;
	/** Milliseconds that an answer may be given again. */
	readonly life: number;
}

/** An answer that was given before to the same request, and may be given to this one. */
export interface CachedAnswer {
	readonly answer: KeptAnswer;
	/** The substrate that gave it, the call that it was given to, and what that was charged. */
	readonly substrate: string;
	readonly call: string;
	readonly charged: number;
	/** Seconds since it was given. */
	readonly age: number;
}

/**
 * Answers for keys that ask for it. The same account only, the same request, the same needs and the same policy; and
 * only what its substrate could be asked for now: what a filter drops today is not given out of yesterday's store.
 */
export interface AnswerCache {
	find(place: CachePlace, plan: Plan): Promise<CachedAnswer | undefined>;
	keep(place: CachePlace, given: Omit<CachedAnswer, "age">): Promise<void>;
}

export function openAnswerCache(options: {
	readonly answers: AnswerStore;
	readonly clock: Pick<Clock, "now">;
}): AnswerCache {
	const { answers, clock } = options;
	return {
		async find({ key, life }, plan) {
			const now = clock.now();
			const kept = await answers.find(key, now);
			if (!kept) return undefined;
			const { substrate, call, charged, at, ...headers } = kept.headers;
			const age = now - Number(at);
			// A key may ask for a shorter life than the one that kept it.
			if (
				substrate === undefined ||
				call === undefined ||
				!(age >= 0 && age < life) ||
				!plan.decision.order.some(({ facts }) => facts.id === substrate)
			)
				return undefined;
			return {
				answer: { ...kept, headers },
				substrate,
				call,
				charged: Number(charged),
				age: Math.floor(age / 1000),
			};
		},
		keep({ key, life }, { answer, substrate, call, charged }) {
			const at = clock.now();
			return answers.keep(
				key,
				{
					...answer,
					headers: {
						...answer.headers,
						substrate,
						call,
						charged: String(charged),
						at: String(at),
					},
				},
				at + life,
			);
		},
	};
}

/**
 * Names a request with all that its answer depends on, however it was written; undefined where no key asked for a cache.
 */
export function placeOf(
	digest: Digest,
	canonicalJson: (body: Uint8Array) => string | undefined,
	operation: WireOperation,
	asked: WireRequest,
	plan: Plan,
	request: Pick<HttpRequest, "header">,
): CachePlace | undefined {
	const { cache } = plan;
	if (cache === undefined) return undefined;
	const { request: decided, policy, table } = plan.decision;
	const body = canonicalJson(asked.body);
	const scope = JSON.stringify([
		decided.account,
		decided.tags,
		decided.stated,
		asked.model,
		policy,
		table,
		operation.id,
		operation.path,
		asked.stream,
		// What goes on to the vendor may change what it answers.
		operation.passHeaders.map((name) => request.header(name) ?? null),
	]);
	const content =
		body === undefined ? hex(digest.bytes(asked.body)) : digest.text(body);
	return { key: `cache/${digest.text(`${scope} ${content}`)}`, life: cache };
}

function hex(bytes: Uint8Array): string {
	let text = "";
	for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
	return text;
}
