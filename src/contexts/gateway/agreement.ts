import type { Reading } from "../../ports/reading.ts";
import { sameJson } from "../learning/index.ts";

/** No member for what cannot be told. */
export interface Agreement {
	/** The same tools are called, in the same order. */
	readonly tools?: boolean;
	/** Both are the same JSON. */
	readonly json?: boolean;
}

/** Whether a second answer to a request comes to the same as the first: of free text nobody can tell by a rule. */
export function agreementOf(
	first: Reading | undefined,
	second: Reading | undefined,
): Agreement {
	const [one, other] = [called(first), called(second)];
	if (one.length > 0 || other.length > 0)
		return { tools: JSON.stringify(one) === JSON.stringify(other) };
	const wanted = first?.asked.schema !== undefined && jsonOf(first);
	if (!wanted) return {};
	const got = second && jsonOf(second);
	return { json: got !== undefined && sameJson(wanted.json, got.json) };
}

function called(reading: Reading | undefined): readonly string[] {
	return reading?.answer.toolCalls.map(({ name }) => name) ?? [];
}

function jsonOf({ answer }: Reading): { readonly json: unknown } | undefined {
	try {
		return { json: JSON.parse(answer.text) };
	} catch {
		return undefined;
	}
}
