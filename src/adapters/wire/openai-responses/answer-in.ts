import type {
	AnswerPart,
	CanonicalAnswer,
	TokenLogprob,
} from "../../../ports/canonical.ts";
import {
	isRecord,
	present,
	recordsOf,
	textOf,
	unreadable,
} from "../canonical/fields.ts";
import { logprobsOf } from "./citations.ts";
import { attach, carriedBy } from "./opaque.ts";
import { partsOfItem } from "./parts-in.ts";
import { finishOf } from "./response.ts";
import { responseUsage } from "./usage.ts";

/** A vendor's whole response. */
export function readAnswer(body: unknown): CanonicalAnswer {
	if (!isRecord(body) || !Array.isArray(body.output))
		return unreadable("has no output");
	const items = recordsOf(body.output);
	const parts: AnswerPart[] = [];
	for (const item of items) {
		const carried = carriedBy(item);
		if (carried) attach(parts, carried);
		else parts.push(...partsOfItem(item));
	}
	const logprobs = items.flatMap(logprobsIn);
	const finish = finishOf(
		body,
		parts.some(({ type }) => type === "tool-call"),
		parts.some(({ type }) => type === "refusal"),
	);
	return present({
		id: textOf(body.id),
		model: textOf(body.model),
		choices: [{ parts, finish, ...(logprobs.length > 0 && { logprobs }) }],
		usage: usageIn(body),
		serviceTier: textOf(body.service_tier),
	});
}

export function usageIn(
	response: Readonly<Record<string, unknown>>,
): CanonicalAnswer["usage"] {
	if (!isRecord(response.usage)) return undefined;
	const reading = responseUsage(response, undefined);
	return "usage" in reading ? reading.usage : undefined;
}

export function logprobsIn(
	item: Readonly<Record<string, unknown>>,
): readonly TokenLogprob[] {
	return item.type === "message"
		? recordsOf(item.content).flatMap(({ logprobs }) => logprobsOf(logprobs))
		: [];
}
