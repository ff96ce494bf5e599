import fc from "fast-check";
import type {
	AnswerEvent,
	AnswerPart,
	CacheMark,
	CanonicalAnswer,
	CanonicalRequest,
	Choice,
	Citation,
	Finish,
	MediaPart,
	Message,
	Opaque,
	OutputForm,
	ReasoningPart,
	RefusalPart,
	TextPart,
	TokenLogprob,
	Tool,
	ToolCallPart,
	ToolChoice,
	ToolResultPart,
} from "../../../ports/canonical.ts";
import type { Usage, UsageClass } from "../../../ports/price-book.ts";
import { spread } from "./gather.ts";

/*
 * Small arbitraries to be put together into what a protocol can express. Every one gives objects
 * without undefined members, so that equality is exact.
 */

/** Well-formed text, any language. */
export const words: fc.Arbitrary<string> = fc.string({
	unit: fc.oneof(
		{ weight: 4, arbitrary: fc.constantFrom(...'abc xyz.\n"\\{}[]:,') },
		{
			weight: 1,
			arbitrary: fc.constantFrom("é", "漢", "\u2028", "🦉", "👩‍🚀", "\0"),
		},
	),
	minLength: 1,
	maxLength: 24,
});

/** A name as tools, schemas and ids have it. */
export const names: fc.Arbitrary<string> = fc.stringMatching(
	/^[a-z][a-zA-Z0-9_]{0,11}$/,
);

export const base64: fc.Arbitrary<string> = fc
	.uint8Array({ minLength: 1, maxLength: 20 })
	.map((bytes) => Buffer.from(bytes).toString("base64"));

/** Values that JSON gives back as they were. */
export const jsonValues: fc.Arbitrary<unknown> = fc
	.jsonValue({ maxDepth: 3 })
	.map((value) => JSON.parse(JSON.stringify(value)));

/** JSON text of an object, as arguments are. */
export const argumentsText: fc.Arbitrary<string> = fc
	.dictionary(names, jsonValues, { maxKeys: 3 })
	.map((value) => JSON.stringify(value));

export const schemas: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc
	.dictionary(
		names,
		fc.constantFrom(
			{ type: "string" },
			{ type: "integer", description: "How many." },
			{ type: "array", items: { type: "number" } },
			{ type: "string", enum: ["a", "b"] },
		),
		{ minKeys: 1, maxKeys: 3 },
	)
	.map((properties) => ({
		type: "object",
		properties: { ...properties },
		required: Object.keys(properties),
		additionalProperties: false,
	}));

export const cacheMarks: fc.Arbitrary<CacheMark> = fc.constantFrom(
	{},
	{ ttl: "5m" } as const,
	{ ttl: "1h" } as const,
);

export function opaques(
	protocol: string,
	data: fc.Arbitrary<unknown> = fc.dictionary(names, jsonValues, {
		maxKeys: 2,
	}),
): fc.Arbitrary<Opaque> {
	return data.map((each) => ({ protocol, data: each }));
}

/** With any of these members, or without. */
export function optionally<T extends object, O extends object>(
	always: { [K in keyof T]: fc.Arbitrary<T[K]> },
	sometimes: { [K in keyof O]?: fc.Arbitrary<O[K]> | undefined },
): fc.Arbitrary<T & Partial<O>> {
	const given = Object.fromEntries(
		Object.entries(sometimes).filter(([, each]) => each !== undefined),
	);
	return fc.record({ ...always, ...given } as never, {
		requiredKeys: Object.keys(always) as never,
		noNullPrototype: true,
	}) as unknown as fc.Arbitrary<T & Partial<O>>;
}

export function textParts(
	sometimes: {
		cache?: fc.Arbitrary<CacheMark>;
		citations?: fc.Arbitrary<readonly Citation[]>;
		opaque?: fc.Arbitrary<Opaque>;
	} = {},
): fc.Arbitrary<TextPart> {
	return optionally(
		{ type: fc.constant("text" as const), text: words },
		sometimes,
	);
}

export function reasoningParts(
	sometimes: {
		summary?: fc.Arbitrary<boolean>;
		opaque?: fc.Arbitrary<Opaque>;
	} = {},
): fc.Arbitrary<ReasoningPart> {
	return optionally(
		{ type: fc.constant("reasoning" as const), text: words },
		sometimes,
	);
}

export function toolCallParts(
	sometimes: {
		cache?: fc.Arbitrary<CacheMark>;
		opaque?: fc.Arbitrary<Opaque>;
	} = {},
): fc.Arbitrary<ToolCallPart> {
	return optionally(
		{
			type: fc.constant("tool-call" as const),
			id: names.map((each) => `call_${each}`),
			name: names,
			arguments: argumentsText,
		},
		sometimes,
	);
}

export const customToolCallParts: fc.Arbitrary<ToolCallPart> = fc.record(
	{
		type: fc.constant("tool-call" as const),
		id: names.map((each) => `call_${each}`),
		name: names,
		arguments: words,
		custom: fc.constant(true),
	},
	{ noNullPrototype: true },
);

export const refusalParts: fc.Arbitrary<RefusalPart> = fc.record(
	{ type: fc.constant("refusal" as const), text: words },
	{ noNullPrototype: true },
);

/** Media inside the request; `sometimes` are the members that the protocol can say of it. */
export function inlineMedia(
	type: MediaPart["type"],
	mediaTypes: readonly string[],
	sometimes: {
		[K in keyof MediaPart]?: fc.Arbitrary<NonNullable<MediaPart[K]>>;
	} = {},
): fc.Arbitrary<MediaPart> {
	return optionally(
		{
			type: fc.constant(type),
			source: fc.record(
				{
					type: fc.constant("base64" as const),
					mediaType: fc.constantFrom(...mediaTypes),
					data: base64,
				},
				{ noNullPrototype: true },
			),
		},
		sometimes,
	) as fc.Arbitrary<MediaPart>;
}

/** Media at an address. */
export function linkedMedia(
	type: MediaPart["type"],
	sometimes: {
		[K in keyof MediaPart]?: fc.Arbitrary<NonNullable<MediaPart[K]>>;
	} = {},
): fc.Arbitrary<MediaPart> {
	return optionally(
		{
			type: fc.constant(type),
			source: names.map((each) => ({
				type: "url" as const,
				url: `https://example.com/${each}`,
			})),
		},
		sometimes,
	) as fc.Arbitrary<MediaPart>;
}

export interface ConversationParts {
	/** What stands first; empty for none. */
	readonly system?: readonly ("system" | "developer")[];
	readonly systemText?: fc.Arbitrary<TextPart>;
	readonly userName?: fc.Arbitrary<string>;
	readonly user?: fc.Arbitrary<TextPart | MediaPart>;
	readonly reasoning?: fc.Arbitrary<ReasoningPart>;
	readonly assistant?: fc.Arbitrary<AnswerPart>;
	readonly call?: fc.Arbitrary<ToolCallPart>;
	/** Gives what a tool's result is made of. */
	readonly result?: fc.Arbitrary<readonly (TextPart | MediaPart)[]>;
	readonly resultError?: boolean;
	/** The result says the tool's name again. */
	readonly resultName?: boolean;
	/** Most parts of one role in a message. */
	readonly most?: number;
}

/** A conversation as models take it: turns in order, each call answered by the results that follow, ids unique. */
export function conversations({
	system = ["system"],
	systemText = textParts(),
	userName,
	user = textParts(),
	reasoning,
	assistant = textParts(),
	call = toolCallParts(),
	result = fc.array(textParts(), { minLength: 1, maxLength: 2 }),
	resultError = false,
	resultName = false,
	most = 3,
}: ConversationParts = {}): fc.Arbitrary<readonly Message[]> {
	const opening: fc.Arbitrary<Message[]> =
		system.length === 0
			? fc.constant([])
			: fc.array(
					fc.record(
						{
							role: fc.constantFrom(...system),
							parts: fc.array(systemText, { minLength: 1, maxLength: 2 }),
						},
						{ noNullPrototype: true },
					),
					{ maxLength: 1 },
				);
	const userTurn: fc.Arbitrary<Message> = optionally(
		{
			role: fc.constant("user" as const),
			parts: fc.array(user, { minLength: 1, maxLength: most }),
		},
		{ name: userName },
	) as fc.Arbitrary<Message>;
	const answered = fc.record(
		{
			thought: reasoning
				? fc.array(reasoning, { maxLength: 1 })
				: fc.constant([] as ReasoningPart[]),
			said: fc.array(assistant, { minLength: 1, maxLength: 1 }),
			calls: fc.array(fc.tuple(call, result, fc.boolean()), {
				maxLength: most,
			}),
		},
		{ noNullPrototype: true },
	);
	return fc
		.tuple(
			opening,
			userTurn,
			fc.array(fc.tuple(answered, userTurn), { maxLength: 3 }),
		)
		.map(([first, asked, turns]) => {
			const messages: Message[] = [...first, asked];
			let number = 0;
			for (const [{ thought, said, calls }, next] of turns) {
				const numbered = calls.map(
					([part, parts, error]) =>
						[{ ...part, id: `${part.id}${number++}` }, parts, error] as const,
				);
				messages.push({
					role: "assistant",
					parts: [...thought, ...said, ...numbered.map(([part]) => part)],
				});
				if (numbered.length > 0)
					messages.push({
						role: "tool",
						parts: numbered.map(
							([{ id, name }, parts, error]): ToolResultPart => ({
								type: "tool-result",
								call: id,
								...(resultName ? { name } : {}),
								parts,
								...(resultError && error ? { error } : {}),
							}),
						),
					});
				else messages.push(next);
			}
			return messages;
		});
}

export function functionTools(
	sometimes: {
		description?: fc.Arbitrary<string>;
		schema?: fc.Arbitrary<Readonly<Record<string, unknown>>>;
		strict?: fc.Arbitrary<boolean>;
		cache?: fc.Arbitrary<CacheMark>;
	} = { description: words, schema: schemas },
): fc.Arbitrary<Tool> {
	return optionally(
		{ type: fc.constant("function" as const), name: names },
		sometimes,
	) as fc.Arbitrary<Tool>;
}

/** A list of tools, and a choice among them. */
export function toolsAndChoice(
	tool: fc.Arbitrary<Tool>,
	modes: readonly ToolChoice["mode"][] = ["auto", "none", "required", "tool"],
): fc.Arbitrary<Pick<CanonicalRequest, "tools" | "toolChoice">> {
	return fc
		.uniqueArray(tool, {
			minLength: 1,
			maxLength: 3,
			selector: (each) => ("name" in each ? each.name : each.type),
		})
		.chain((tools) => {
			const named = tools.flatMap((each) =>
				each.type === "function" || each.type === "custom" ? [each.name] : [],
			);
			const possible = modes.filter(
				(mode) => named.length > 0 || (mode !== "tool" && mode !== "allowed"),
			);
			const choice: fc.Arbitrary<ToolChoice> = fc
				.tuple(
					fc.constantFrom(...possible),
					fc.constantFrom(...(named.length > 0 ? named : [""])),
					fc.boolean(),
				)
				.map(([mode, name, required]) => {
					if (mode === "tool") return { mode, name };
					if (mode === "allowed") return { mode, names: [name], required };
					return { mode };
				});
			return optionally(
				{ tools: fc.constant(tools) },
				{ toolChoice: choice },
			) as fc.Arbitrary<Pick<CanonicalRequest, "tools" | "toolChoice">>;
		});
}

export const outputForms: fc.Arbitrary<OutputForm> = fc.oneof(
	fc.constant<OutputForm>({ type: "text" }),
	fc.constant<OutputForm>({ type: "json" }),
	fc
		.tuple(names, schemas)
		.map(
			([name, schema]): OutputForm => ({ type: "json-schema", name, schema }),
		),
);

/** Two decimals: numbers that any JSON writer gives back. */
export function hundredths(least: number, most: number): fc.Arbitrary<number> {
	return fc
		.integer({ min: least * 100, max: most * 100 })
		.map((each) => each / 100);
}

/** A request of these members: always `model`, `messages`, `stream` and `streamUsage`; each of `sometimes` or not. */
export function canonicalRequests({
	messages = conversations(),
	tools,
	sometimes = {},
	streamUsage = fc.boolean(),
}: {
	readonly messages?: fc.Arbitrary<readonly Message[]>;
	readonly tools?: fc.Arbitrary<Pick<CanonicalRequest, "tools" | "toolChoice">>;
	readonly sometimes?: {
		[K in keyof CanonicalRequest]?: fc.Arbitrary<
			NonNullable<CanonicalRequest[K]>
		>;
	};
	/** Only asked where it streams; give `fc.constant(true)` for protocols that always send it. */
	readonly streamUsage?: fc.Arbitrary<boolean>;
} = {}): fc.Arbitrary<CanonicalRequest> {
	return fc
		.tuple(
			optionally<
				{ model: string; messages: readonly Message[]; stream: boolean },
				object
			>({ model: names, messages, stream: fc.boolean() }, sometimes as object),
			tools ? fc.option(tools, { nil: {} }) : fc.constant({}),
			streamUsage,
		)
		.map(([rest, tooled, usage]) => ({
			...rest,
			...tooled,
			streamUsage: usage,
		}));
}

/** Counts of these classes. */
export function usages(
	classes: readonly UsageClass[] = [
		"input",
		"output",
		"reasoning",
		"cache-read",
	],
): fc.Arbitrary<Usage> {
	return optionally(
		{},
		Object.fromEntries(
			classes.map((each) => [each, fc.integer({ min: 1, max: 9999 })]),
		),
	) as fc.Arbitrary<Usage>;
}

export const tokenLogprobs: fc.Arbitrary<TokenLogprob> = fc
	.tuple(words, hundredths(-9, 0))
	.map(([token, logprob]) => ({
		token,
		logprob,
		bytes: [...Buffer.from(token)],
		top: [{ token, logprob, bytes: [...Buffer.from(token)] }],
	}));

export interface AnswerShape {
	readonly reasoning?: fc.Arbitrary<ReasoningPart>;
	readonly text?: fc.Arbitrary<TextPart>;
	readonly call?: fc.Arbitrary<ToolCallPart>;
	readonly mostChoices?: number;
	readonly logprobs?: fc.Arbitrary<TokenLogprob>;
	/** Reasons besides `tool-calls`, which every answer with calls has. */
	readonly finish?: fc.Arbitrary<Finish>;
	readonly usage?: fc.Arbitrary<Usage>;
	readonly serviceTier?: fc.Arbitrary<string>;
}

/** Answers as models give them: reasoning, then text, then calls with unique ids; any of them, and nothing at all. */
export function canonicalAnswers({
	reasoning,
	text = textParts(),
	call = toolCallParts(),
	mostChoices = 1,
	logprobs,
	finish = fc.constantFrom<Finish>({ reason: "stop" }, { reason: "length" }),
	usage = usages(),
	serviceTier,
}: AnswerShape = {}): fc.Arbitrary<CanonicalAnswer> {
	const choice = fc
		.tuple(
			reasoning ? fc.array(reasoning, { maxLength: 1 }) : fc.constant([]),
			fc.array(text, { maxLength: 1 }),
			fc.array(call, { maxLength: 3 }),
			finish,
			logprobs
				? fc.array(logprobs, { maxLength: 3 })
				: fc.constant([] as TokenLogprob[]),
		)
		.map(
			([thought, said, calls, reason, probabilities]): Choice => ({
				parts: [
					...thought,
					...said,
					...calls.map((each, index) => ({
						...each,
						id: `${each.id}${index}`,
					})),
				],
				finish: calls.length > 0 ? { reason: "tool-calls" } : reason,
				...(probabilities.length > 0 ? { logprobs: probabilities } : {}),
			}),
		);
	return optionally(
		{
			id: names,
			model: names,
			choices: fc.array(choice, { minLength: 1, maxLength: mostChoices }),
			usage,
		},
		{ serviceTier },
	) as fc.Arbitrary<CanonicalAnswer>;
}

/**
 * The events of an answer, its text in pieces of random length. With `overlapping`, deltas of tool
 * calls of a choice come mixed, as some vendors send them.
 */
export function answerEvents(
	answers: fc.Arbitrary<CanonicalAnswer>,
	overlapping = false,
): fc.Arbitrary<{
	readonly answer: CanonicalAnswer;
	readonly events: readonly AnswerEvent[];
}> {
	return fc
		.tuple(
			answers,
			fc.integer({ min: 1, max: 7 }),
			fc.infiniteStream(fc.boolean()),
		)
		.map(([answer, size, coin]) => {
			const pieces = spread(answer).flatMap((event): AnswerEvent[] =>
				event.type === "delta"
					? split(event.text, size).map((text) => ({ ...event, text }))
					: [event],
			);
			return { answer, events: overlapping ? mixed(pieces, coin) : pieces };
		});
}

/** Pieces of so many characters; none is broken. */
function split(text: string, size: number): string[] {
	const characters = [...text];
	const pieces: string[] = [];
	for (let at = 0; at < characters.length; at += size)
		pieces.push(characters.slice(at, at + size).join(""));
	return pieces;
}

/** Moves the events of neighbouring tool calls into each other, keeping the order of each and of their openings. */
function mixed(
	events: readonly AnswerEvent[],
	coin: Iterator<boolean>,
): AnswerEvent[] {
	const result: AnswerEvent[] = [];
	let run: AnswerEvent[][] = [];
	function flush(): void {
		// One opens after those before it.
		let opened = 0;
		while (run.some((queue) => queue.length > 0)) {
			const ready = run.slice(0, opened).filter((queue) => queue.length > 0);
			if (opened < run.length && (ready.length === 0 || coin.next().value)) {
				result.push((run[opened] as AnswerEvent[]).shift() as AnswerEvent);
				opened++;
				continue;
			}
			const queue = ready[coin.next().value ? 0 : ready.length - 1];
			if (queue) result.push(queue.shift() as AnswerEvent);
		}
		run = [];
	}
	let calling: string | undefined;
	for (const event of events) {
		if ("part" in event) {
			const key = `${event.choice}.${event.part}`;
			if (event.type === "open") {
				if (event.value.type === "tool-call") {
					calling = key;
					run.push([]);
				} else calling = undefined;
			}
			if (calling === key) {
				run.at(-1)?.push(event);
				continue;
			}
		}
		flush();
		calling = undefined;
		result.push(event);
	}
	flush();
	return result;
}
