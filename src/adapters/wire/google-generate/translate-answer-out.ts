import type {
	AnswerEvent,
	CanonicalAnswer,
	CanonicalRequest,
} from "../../../ports/canonical.ts";
import type {
	AnswerWriter,
	Json,
	Naming,
	Warn,
} from "../../../ports/translator.ts";
import type { WireRequest } from "../../../ports/wire-protocol.ts";
import { spread } from "../canonical/gather.ts";
import { bytesOf, sse } from "../canonical/sse.ts";
import { openWriting, type Said } from "./answer-writing.ts";
import { arrayForm } from "./array-form.ts";
import type { Asked } from "./request.ts";

/** A whole answer: what a stream of it would say, put together. */
export function writeAnswer(
	answer: CanonicalAnswer,
	request: CanonicalRequest,
	naming: Naming,
	warn?: Warn,
): Json {
	const writing = openWriting(request, naming, warn);
	const candidates = new Map<number, { parts: Json[]; members: Json }>();
	function add({ choice, parts, members }: Said): void {
		const there = candidates.get(choice);
		if (!there) {
			candidates.set(choice, { parts: [...parts], members: members ?? {} });
			return;
		}
		for (const part of parts) join(there.parts, part);
		there.members = { ...there.members, ...members };
	}
	for (const each of writing.take(spread(answer))) add(each);
	for (const each of writing.conclude()) add(each);
	const usage = writing.usage();
	return {
		candidates: [...candidates].map(([index, { parts, members }]) => ({
			content: { ...(parts.length > 0 && { parts }), role: "model" },
			...members,
			index,
		})),
		...(usage && { usageMetadata: usage }),
		...writing.head(),
	};
}

/** A signature that came behind its text stands on it, where all is known at once. */
function join(parts: Json[], part: Json): void {
	const last = parts.at(-1);
	if (
		part.text === "" &&
		part.thoughtSignature !== undefined &&
		typeof last?.text === "string" &&
		last.thoughtSignature === undefined &&
		last.thought === part.thought &&
		part.thought === true
	)
		parts[parts.length - 1] = {
			...last,
			thoughtSignature: part.thoughtSignature,
		};
	else parts.push(part);
}

export function openWriter(
	request: CanonicalRequest,
	naming: Naming,
	asked: WireRequest,
	warn?: Warn,
): AnswerWriter {
	const writing = openWriting(request, naming, warn);
	let begun = false;
	/** The first piece says what was known at the start, as far as it was. */
	function beginning(): Json {
		if (begun) return {};
		begun = true;
		const usageMetadata = writing.usage();
		return usageMetadata ? { usageMetadata } : {};
	}
	const events = {
		push(told: readonly AnswerEvent[]) {
			const frames = writing.take(told).map(({ choice, parts, members }) =>
				frame([candidate(choice, parts, members)], {
					...beginning(),
					...writing.head(),
				}),
			);
			return bytesOf(frames);
		},
		end() {
			if (writing.broken) return undefined;
			const candidates = writing.conclude();
			const usage = writing.usage();
			return bytesOf([
				frame(
					candidates.map(({ choice, parts, members }) =>
						candidate(
							choice,
							parts.length > 0 ? parts : [{ text: "" }],
							members,
						),
					),
					{ ...(usage && { usageMetadata: usage }), ...writing.head() },
				),
			]);
		},
	};
	const { arrayForm: asArray } = asked.opaque as Asked;
	if (!asArray) return events;
	const form = arrayForm();
	return {
		contentType: "application/json",
		push(told) {
			const bytes = events.push(told);
			return bytes && form.push(bytes);
		},
		end() {
			const last = events.end();
			if (!last) return undefined;
			return Buffer.concat([form.push(last) ?? none, form.close() ?? none]);
		},
		refuse: form.refuse,
	};
}

function candidate(
	index: number,
	parts: readonly Json[],
	members: Json | undefined,
): Json {
	return { content: { parts, role: "model" }, ...members, index };
}

function frame(candidates: readonly Json[], rest: Json): string {
	return sse(JSON.stringify({ candidates, ...rest }));
}

const none: Uint8Array = Buffer.alloc(0);
