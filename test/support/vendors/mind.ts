import { createHmac } from "node:crypto";

/** A JSON schema, as far as the mind reads it. */
export type Schema = Readonly<Record<string, unknown>>;

/** What a request asks of a model, whatever the wire that it came over. */
export interface Seen {
	/** System and developer messages. */
	readonly instructions: readonly string[];
	/** What the user said last. */
	readonly said: string;
	/** Media types of what the user showed, in order: `image/png`. */
	readonly media: readonly string[];
	/** Messages of the user. */
	readonly turns: number;
	readonly tools: readonly { readonly name: string; readonly schema: Schema }[];
	readonly choice: "auto" | "none" | "required" | { readonly name: string };
	readonly parallel: boolean;
	/** What the tools said since; empty when none has. */
	readonly results: readonly {
		readonly text: string;
		readonly error: boolean;
	}[];
	/** The answer has to be JSON, of a schema. */
	readonly output?: Schema | "json" | undefined;
	readonly stop: readonly string[];
	readonly thinks: boolean;
}

export interface Thought {
	readonly reasoning: string | undefined;
	readonly text: string | undefined;
	readonly calls: readonly {
		readonly name: string;
		readonly input: Record<string, unknown>;
	}[];
	readonly finish: "stop" | "stop-sequence" | "tool-calls";
	readonly sequence: string | undefined;
	/** Tokens: `input` includes `cached`, `output` includes `reasoning`. */
	readonly usage: {
		readonly input: number;
		readonly cached: number;
		readonly output: number;
		readonly reasoning: number;
	};
}

/**
 * A model that always answers the same to the same: with calls, one for each word in double quotes,
 * when it has tools that have not spoken yet; then with what they said; else with what it saw.
 */
export function think(seen: Seen): Thought {
	const reasoning = seen.thinks ? `They said ${seen.said}.` : undefined;
	const calls = callsOf(seen);
	const told = calls.length > 0 ? undefined : tell(seen);
	const sequence = seen.stop.find((each) => told?.includes(each));
	const text = sequence ? told?.slice(0, told.indexOf(sequence)) : told;
	const thought = wordsIn(reasoning);
	return {
		reasoning,
		text,
		calls,
		sequence,
		finish:
			calls.length > 0 ? "tool-calls" : sequence ? "stop-sequence" : "stop",
		usage: {
			input: 100 + seen.said.length,
			cached: 64,
			output: thought + 10 * calls.length + wordsIn(text) + 1,
			reasoning: thought,
		},
	};
}

function callsOf({
	choice,
	tools,
	results,
	said,
	parallel,
}: Seen): Thought["calls"] {
	if (choice === "none" || results.length > 0) return [];
	const tool =
		typeof choice === "object"
			? tools.find(({ name }) => name === choice.name)
			: tools[0];
	if (!tool) return [];
	const quoted = [...said.matchAll(/"([^"]+)"/g)].map(
		([, word]) => word as string,
	);
	if (quoted.length === 0 && choice === "auto") return [];
	const words = quoted.length === 0 ? ["something"] : quoted;
	return (parallel ? words : words.slice(0, 1)).map((word) => ({
		name: tool.name,
		input: instance(tool.schema, word) as Record<string, unknown>,
	}));
}

function tell({
	results,
	output,
	said,
	instructions,
	media,
	turns,
}: Seen): string {
	if (results.length > 0)
		return `The tools say: ${results.map(({ text, error }) => (error ? `FAILED ${text}` : text)).join("; ")}.`;
	if (output)
		return JSON.stringify(
			output === "json" ? { said } : instance(output, said),
		);
	return [
		`You said: ${said}.`,
		...(instructions.length > 0 ? [`Told: ${instructions.join(" | ")}.`] : []),
		...(media.length > 0 ? [`Seen: ${media.join(", ")}.`] : []),
		...(turns > 1 ? [`Turn ${turns}.`] : []),
		"Grüße 👋",
	].join(" ");
}

/** Something that a schema allows, with a word where it wants text. */
export function instance(
	schema: Schema,
	word: string,
	root: Schema = schema,
): unknown {
	const { $ref, anyOf, enum: oneOf, properties, items } = schema;
	const again = (inner: unknown) => instance(inner as Schema, word, root);
	if (typeof $ref === "string") {
		const path = $ref.replace(/^#\//, "").split("/");
		return again(path.reduce<unknown>((at, key) => (at as Schema)[key], root));
	}
	if (Array.isArray(anyOf)) return again(anyOf[0]);
	if ("const" in schema) return schema.const;
	if (Array.isArray(oneOf)) return oneOf[0];
	const type = [schema.type].flat()[0];
	switch (typeof type === "string" ? type.toLowerCase() : "object") {
		case "string":
			return word;
		case "number":
		case "integer":
			return 7;
		case "boolean":
			return true;
		case "array":
			return [again(items ?? { type: "string" })];
		case "null":
			return null;
		default:
			return Object.fromEntries(
				Object.entries((properties ?? {}) as Schema).map(([name, value]) => [
					name,
					again(value),
				]),
			);
	}
}

/** What only the vendor that made it can tell from a forgery. */
export function sign(text: string): string {
	return createHmac("sha256", "the vendor's secret")
		.update(text)
		.digest("base64");
}

/** Text as it is made: a few characters at a time. */
export function pieces(text: string): string[] {
	return text.match(/.{1,7}/gsu) ?? [];
}

function wordsIn(text: string | undefined): number {
	return text === undefined ? 0 : text.split(" ").length;
}
