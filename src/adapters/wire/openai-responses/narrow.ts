import type { Json, Warn } from "../../../ports/translator.ts";
import type { Quirks } from "../../../ports/vendor.ts";
import { present, unsupported } from "../canonical/fields.ts";

/**
 * For vendors that speak this protocol in part. Words of `lacks`: every member of the body, and
 * `custom` (tools), `detail` (of images), `input_file`, `output_parts` (media in results of tools),
 * `summary` (of reasoning). Of `takes`: `input_audio`, which the protocol has a form for and its own
 * vendor refuses; `response_format`, in place of `text.format`.
 */
export interface Vocabulary {
	takes(word: string): boolean;
	lacks(word: string): boolean;
}

export function vocabularyOf({ takes, lacks }: Quirks): Vocabulary {
	return {
		takes: (word) => takes?.includes(word) ?? false,
		lacks: (word) => lacks?.includes(word) ?? false,
	};
}

/** What the answer is held to, in the words that the vendor has for it. */
export function formed(
	text: Json | undefined,
	{ takes, lacks }: Vocabulary,
	warn: Warn,
): Json {
	if (!text || !lacks("text")) return present({ text });
	const { format, verbosity } = text as { format?: Json; verbosity?: unknown };
	if (verbosity !== undefined) dropped("verbosity", warn);
	if (!format || format.type === "text") return {};
	const { type, ...json_schema } = format;
	if (type !== "json_schema" || !takes("response_format"))
		return unsupported("output", "is a form of answer that this vendor lacks");
	return { response_format: { type, json_schema } };
}

/** By their names in the canonical form; null: it asks for nothing that the client would miss. */
const members: ReadonlyMap<string, string | null> = new Map([
	["include", null],
	["max_tool_calls", "tools.mostUses"],
	["metadata", "metadata"],
	["parallel_tool_calls", "parallelToolCalls"],
	["prompt_cache_key", "cacheKey"],
	["safety_identifier", "user"],
	["service_tier", "serviceTier"],
	["temperature", "temperature"],
	["top_p", "topP"],
]);

/** Takes out of the body what this vendor refuses: dropped where it only steers. */
export function narrowed(body: Json, { lacks }: Vocabulary, warn: Warn): Json {
	const left = Object.entries(body).filter(([word]) => {
		const field = members.get(word);
		if (field === undefined || !lacks(word)) return true;
		if (field !== null) dropped(field, warn);
		return false;
	});
	return left.length === Object.keys(body).length
		? body
		: Object.fromEntries(left);
}

function dropped(field: string, warn: Warn): void {
	warn({ kind: "dropped", field, message: "This vendor refuses it." });
}
