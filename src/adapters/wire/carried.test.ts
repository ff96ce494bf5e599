import { describe, expect, it } from "vitest";
import type {
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
	Citation,
} from "../../ports/canonical.ts";
import type { Passage } from "../../ports/crossing.ts";
import type { Translator } from "../../ports/translator.ts";
import type { Quirks } from "../../ports/vendor.ts";
import type {
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";
import { spoken } from "./all.ts";
import {
	type AskedFeature,
	armed,
	askedFeatures,
	base64,
	callsIn,
	plain,
	textIn,
	weather,
} from "./asked-features.testing.ts";
import { gathered, spread } from "./canonical/gather.ts";
import { openCrossings } from "./crossing.ts";

/*
 * What of each feature reaches the other side, for every client and vendor whose protocols differ,
 * found by sending it over: docs/wire-protocols.md is what this test sees. To write it anew:
 * vitest run src/adapters/wire/carried.test.ts -u
 */

type Cell = "carried" | "warned" | "refused" | "lost" | "–";

interface Side {
	readonly id: string;
	readonly name: string;
	readonly wire: WireProtocol;
	readonly translator: Translator;
	/** One that takes all that the protocol has. */
	readonly model: string;
}

const names: Readonly<Record<string, readonly [name: string, model: string]>> =
	{
		"openai-chat": ["OpenAI Chat", "gpt-5.2"],
		"openai-responses": ["OpenAI Responses", "gpt-5.2"],
		"anthropic-messages": ["Anthropic Messages", "claude-sonnet-4-6"],
		"google-generate": ["Google generateContent", "gemini-3-pro"],
		"bedrock-converse": ["Bedrock Converse", "anthropic.claude-sonnet-4-6"],
	};
const sides = spoken.flatMap(({ wire, translator }): Side[] => {
	const [name, model] = names[wire.id] ?? [wire.id, "model"];
	return translator ? [{ id: wire.id, name, wire, translator, model }] : [];
});
/** Whose requests come in by an address of ours. */
const clients = sides.filter(({ wire }) =>
	wire.operations.some(({ path }) => path !== undefined),
);
const crossings = openCrossings(spoken);
const naming = { call: "call_1", model: "m", time: 1_764_000_000_000 };
/** What clients say beyond their protocol, and some vendors take. */
const extensions = {
	takes: ["cache_control", "top_k", "file_url", "image_output", "input_audio"],
};

// ── What is answered ────────────────────────────────────────────────────────────────────────────

interface Answer {
	readonly feature: string;
	readonly answered: CanonicalAnswer;
	/** What a client has to ask for first, in the first of these ways that it has words for. */
	readonly asked?: readonly Partial<CanonicalRequest>[];
	view(answer: CanonicalAnswer): unknown;
}

const finished = { reason: "stop" } as const;
const text = (text: string, citations?: Citation[]): AnswerPart => ({
	type: "text",
	text,
	...(citations && { citations }),
});
const answer = (
	parts: readonly AnswerPart[],
	more: Partial<CanonicalAnswer> = {},
	finish: CanonicalAnswer["choices"][number]["finish"] = finished,
): CanonicalAnswer => ({
	id: "id_1",
	model: "model",
	usage: { input: 10, output: 5 },
	...more,
	choices: more.choices ?? [{ parts, finish }],
});
const partsOf = ({ choices }: CanonicalAnswer) => choices[0]?.parts ?? [];
const textOf = (kind: string) => (answer: CanonicalAnswer) =>
	partsOf(answer)
		.filter(({ type }) => type === kind)
		.map((part) => ("text" in part ? part.text : ""))
		.join("");
const usageOf =
	(...classes: (keyof NonNullable<CanonicalAnswer["usage"]>)[]) =>
	({ usage }: CanonicalAnswer) =>
		classes.map((name) => usage?.[name] ?? 0);
const finishOf = ({ choices }: CanonicalAnswer) => choices[0]?.finish.reason;
const thinks: readonly Partial<CanonicalRequest>[] = [
	{ reasoning: { effort: "high", show: "auto" } },
	{ reasoning: { effort: "high" } },
];
const citations = (answer: CanonicalAnswer) =>
	partsOf(answer).flatMap((part) =>
		part.type === "text"
			? (part.citations ?? []).map(({ url, document }) => [url, document])
			: [],
	);

const answers: readonly Answer[] = [
	{
		feature: "Text",
		answered: answer([text("Grüße 👋")]),
		view: textOf("text"),
	},
	{
		feature: "Parallel tool calls",
		answered: answer(
			[0, 1].map((index) => ({
				type: "tool-call" as const,
				id: `call_${index}`,
				name: "weather",
				arguments: `{"city":"${index}"}`,
			})),
			{},
			{ reason: "tool-calls" },
		),
		asked: [{ tools: [weather] }],
		view: (answer) => [callsIn(partsOf(answer)), finishOf(answer)],
	},
	{
		feature: "Reasoning",
		answered: answer([{ type: "reasoning", text: "Hm." }, text("Yes")]),
		asked: thinks,
		view: textOf("reasoning"),
	},
	{
		feature: "Summaries of reasoning",
		answered: answer([
			{ type: "reasoning", text: "Hm.", summary: true },
			text("Yes"),
		]),
		asked: thinks,
		view: textOf("reasoning"),
	},
	{
		feature: "Refusals",
		answered: answer(
			[{ type: "refusal", text: "No." }],
			{},
			{ reason: "refusal" },
		),
		view: (answer) => [
			(textOf("refusal")(answer) || textOf("text")(answer)).startsWith("No."),
			["refusal", "content-filter"].includes(String(finishOf(answer))) ||
				textOf("refusal")(answer) !== "",
		],
	},
	{
		feature: "Citations of pages",
		answered: answer([
			text("Owls see well.", [
				{ url: "https://example.com/", title: "Owls", start: 0, end: 14 },
			]),
		]),
		view: citations,
	},
	{
		feature: "Citations of documents",
		answered: answer([
			text("Owls see well.", [
				{
					document: 0,
					title: "Owls",
					quote: "well",
				},
			]),
		]),
		view: citations,
	},
	{
		feature: "What a web search found",
		answered: answer([
			{
				type: "server-tool",
				tool: "web-search",
				id: "srvtoolu_1",
				query: "owls",
				results: [{ url: "https://example.com/", title: "Owls" }],
			},
			text("Owls."),
		]),
		asked: [{ tools: [{ type: "web-search" }] }],
		view: (answer) =>
			partsOf(answer).flatMap((part) =>
				part.type === "server-tool" ? [part.query] : [],
			),
	},
	{
		feature: "Log probabilities",
		answered: answer([], {
			choices: [
				{
					parts: [text("Yes")],
					finish: finished,
					logprobs: [{ token: "Yes", logprob: -0.5 }],
				},
			],
		}),
		asked: [{ logprobs: { alternatives: 0 } }],
		view: ({ choices }) =>
			choices[0]?.logprobs?.map(({ token, logprob }) => [token, logprob]),
	},
	{
		feature: "Several answers",
		answered: answer([], {
			choices: ["a", "b"].map((each) => ({
				parts: [text(each)],
				finish: finished,
			})),
		}),
		asked: [{ choices: 2 }],
		view: ({ choices }) => choices.map(({ parts }) => textIn(parts)),
	},
	{
		feature: "Why it ended: the limit",
		answered: answer([text("Ye")], {}, { reason: "length" }),
		view: finishOf,
	},
	{
		// Where no word is for it, it is an end like any other.
		feature: "Why it ended: a stop sequence",
		answered: answer(
			[text("Ye")],
			{},
			{ reason: "stop-sequence", sequence: "s" },
		),
		asked: [{ stop: ["s"] }],
		view: (answer) => String(finishOf(answer)).startsWith("stop"),
	},
	{
		feature: "Why it ended: a filter",
		answered: answer([text("Ye")], {}, { reason: "content-filter" }),
		view: (answer) =>
			["refusal", "content-filter"].includes(String(finishOf(answer))),
	},
	{
		feature: "Images",
		answered: answer([{ type: "image", source: base64("image/png") }]),
		asked: [{ modalities: ["text", "image"] }],
		view: (answer) => partsOf(answer).map(({ type }) => type === "image"),
	},
	{
		feature: "Audio",
		answered: answer([{ type: "audio", source: base64("audio/wav") }]),
		asked: [
			{
				modalities: ["text", "audio"],
				voice: { name: "alloy", format: "wav" },
			},
		],
		view: (answer) => partsOf(answer).some(({ type }) => type === "audio"),
	},
	{
		feature: "Usage: input that was cached",
		answered: answer([text("Yes")], {
			usage: { input: 10, "cache-read": 20, output: 5 },
		}),
		view: usageOf("input", "cache-read", "output"),
	},
	{
		feature: "Usage: input that is cached now",
		answered: answer([text("Yes")], {
			usage: { input: 10, "cache-write-5m": 20, output: 5 },
		}),
		// Protocols that do not tell it apart count it as input.
		view: (answer) =>
			usageOf(
				"input",
				"cache-write-5m",
			)(answer).reduce((sum, each) => sum + each),
	},
	{
		feature: "Usage: reasoning",
		answered: answer([text("Yes")], {
			usage: { input: 10, output: 5, reasoning: 7 },
		}),
		view: usageOf("input", "output", "reasoning"),
	},
	{
		feature: "Service tier",
		answered: answer([text("Yes")], { serviceTier: "priority" }),
		view: ({ serviceTier }) => serviceTier,
	},
];

// ── The way over ────────────────────────────────────────────────────────────────────────────────

interface Sent {
	readonly operation: WireOperation;
	readonly request: WireRequest;
	/** What was asked for, as the client's own words mean it. */
	readonly asked: CanonicalRequest;
}

/** A request in a client's own words; undefined where it has none for it. */
function inClientsWords(
	{ wire, translator, model }: Side,
	asked: CanonicalRequest,
): Sent | undefined {
	const { warned, warn } = listening();
	const written = translator.writeRequest(
		asked,
		{ model, outputLimit: undefined, quirks: extensions },
		warn,
	);
	if (!written.ok || warned.length > 0) return undefined;
	return read({ wire, translator, model }, written.value, asked.stream);
}

function read(
	{ wire, translator, model }: Pick<Side, "wire" | "translator" | "model">,
	{ path, body }: { readonly path: string; readonly body: object },
	stream: boolean,
): Sent | undefined {
	const [bare = "", query = ""] = path.split("?");
	const operation = wire.operations.find(
		(each) =>
			each.means === "generate" &&
			[model, encodeURIComponent(model)].some(
				(name) => each.upstreamPath.replace("{model}", name) === bare,
			),
	);
	if (!operation) throw new Error(`${wire.id} has nothing at ${path}`);
	const request = wire.read(operation.id, Buffer.from(JSON.stringify(body)), {
		parameters: { model },
		query,
		header: () => undefined,
	});
	if (!request.ok) throw new Error(request.error.message);
	const asked = translator.readRequest(request.value, () => {});
	if (!asked.ok) throw new Error(`${wire.id}: ${asked.error.message}`);
	return {
		operation,
		request: request.value,
		asked: { ...asked.value, stream },
	};
}

function send(
	client: Side,
	vendor: Side,
	{ operation, request }: Sent,
	quirks: Quirks = {},
) {
	return crossings.open({
		wire: client.wire,
		operation,
		request,
		vendor: vendor.id,
		change: { model: vendor.model, outputLimit: undefined, quirks },
		naming,
	});
}

function listening() {
	const warned: string[] = [];
	return {
		warned,
		warn: ({ message }: { readonly message: string }) => {
			warned.push(message);
		},
	};
}

/** What became of it, and what the client was told. */
interface Outcome {
	readonly cell: Cell;
	readonly said?: string | undefined;
}

function tryRequest(
	client: Side,
	vendor: Side,
	{ asked, base = plain, view }: AskedFeature,
): Outcome {
	const sent = inClientsWords(client, asked);
	const said = sent && view(sent.asked);
	if (!sent || !same(said, view(asked))) return { cell: "–" };
	const passage = send(client, vendor, sent);
	if (!passage.ok) return { cell: "refused", said: passage.error.message };
	const { body, path = vendor.wire.operations[0]?.upstreamPath ?? "" } =
		passage.value.forward(undefined);
	const baseline = inClientsWords(client, base);
	const usual = passageOf(client, vendor, baseline);
	const before = usual?.warnings ?? [];
	// Of a protocol that has no clients here, nothing can be read: the feature shows in the bytes.
	const carried = clients.includes(vendor)
		? same(view(arrivedAt(vendor, path, body) ?? plain), said)
		: !same(usual?.forward(undefined).body, body);
	const warning = passage.value.warnings.find(
		({ message }) => !before.some((each) => each.message === message),
	);
	if (warning) return { cell: "warned", said: warning.message };
	return { cell: carried ? "carried" : "lost" };
}

/** What the vendor is told, read as if its own clients had said it. */
function arrivedAt(
	vendor: Side,
	path: string,
	body: Uint8Array,
): CanonicalRequest | undefined {
	return read(
		vendor,
		{ path, body: JSON.parse(Buffer.from(body).toString()) },
		false,
	)?.asked;
}

function tryAnswer(
	client: Side,
	vendor: Side,
	{ answered, asked = [{}], view }: Answer,
	stream: boolean,
): Outcome {
	const bytes = inVendorsWords(
		vendor,
		answered,
		{ ...plain, ...asked[0], stream },
		view,
	);
	if (!bytes) return { cell: "–" };
	const base = { ...plain, stream, streamUsage: stream };
	const sent = asked
		.map((each) => inClientsWords(client, { ...base, ...each }))
		.find((each) => each !== undefined);
	// Vendors that draw in chats say so in their rows.
	const passage = passageOf(client, vendor, sent, { takes: ["image_output"] });
	if (!sent || !passage) return { cell: "–" };
	const { meter } = passage.answer(
		passage.forward(undefined),
		200,
		stream ? "text/event-stream" : "application/json",
	);
	const pieces = [meter.pass(bytes)];
	const { rest, warnings = [], vendorError } = meter.finish();
	if (vendorError !== undefined) return { cell: "refused", said: vendorError };
	const got = Buffer.concat(
		[...pieces, rest].filter((each) => each !== undefined),
	);
	const told = stream
		? gatheredFrom(client, sent.asked, got)
		: client.translator.readAnswer(JSON.parse(got.toString()));
	const value = "ok" in told ? (told.ok ? told.value : undefined) : told;
	const [warning] = warnings;
	if (value && same(view(value), view(answered))) return { cell: "carried" };
	return warning === undefined
		? { cell: "lost" }
		: { cell: "warned", said: warning };
}

function passageOf(
	client: Side,
	vendor: Side,
	sent: Sent | undefined,
	quirks?: Quirks,
): Passage | undefined {
	const passage = sent && send(client, vendor, sent, quirks);
	return passage?.ok ? passage.value : undefined;
}

function gatheredFrom(
	{ translator }: Side,
	asked: CanonicalRequest,
	bytes: Uint8Array,
): CanonicalAnswer {
	const reader = translator.openReader(asked);
	return gathered([...reader.push(bytes), ...reader.end()]);
}

/** Undefined where the vendor's protocol has no words for it. */
function inVendorsWords(
	{ translator, model, ...side }: Side,
	answered: CanonicalAnswer,
	asked: CanonicalRequest,
	view: Answer["view"],
): Uint8Array | undefined {
	const own = { ...asked, streamUsage: asked.stream };
	if (!asked.stream) {
		const { warned, warn } = listening();
		const body = translator.writeAnswer(answered, own, naming, warn);
		const again = translator.readAnswer(body);
		if (
			warned.length > 0 ||
			!again.ok ||
			!same(view(again.value), view(answered))
		)
			return undefined;
		return Buffer.from(JSON.stringify(body));
	}
	const { warned, warn } = listening();
	const wired = inClientsWords(
		{ translator, model, ...side },
		{ ...plain, stream: true },
	);
	if (!wired) return undefined;
	const writer = translator.openWriter(own, naming, wired.request, warn);
	const bytes = Buffer.concat(
		[writer.push(spread(answered)), writer.end()].filter(
			(each) => each !== undefined,
		),
	);
	const again = gatheredFrom({ translator, model, ...side }, own, bytes);
	return warned.length > 0 || !same(view(again), view(answered))
		? undefined
		: bytes;
}

function same(one: unknown, other: unknown): boolean {
	return JSON.stringify(one) === JSON.stringify(other);
}

/** What a vendor signed comes back to it on the next turn, by way of the client. */
function trySignature(client: Side, vendor: Side): Outcome {
	const opaque = signatures[vendor.id];
	if (!opaque) return { cell: "–" };
	const answered = answer(
		[
			{
				type: "reasoning",
				text: "Hm.",
				opaque: { protocol: vendor.id, data: opaque },
			},
			{
				type: "tool-call",
				id: "call_0",
				name: "weather",
				arguments: '{"city":"0"}',
			},
		],
		{},
		{ reason: "tool-calls" },
	);
	const asked = { ...armed, ...thinks[0] };
	const sent =
		inClientsWords(client, asked) ??
		inClientsWords(client, { ...armed, ...thinks[1] });
	const passage = passageOf(client, vendor, sent);
	if (!sent || !passage) return { cell: "–" };
	const body = vendor.translator.writeAnswer(answered, asked, naming, () => {});
	const { meter } = passage.answer(
		passage.forward(undefined),
		200,
		"application/json",
	);
	meter.pass(Buffer.from(JSON.stringify(body)));
	const { rest } = meter.finish();
	const next = goOn(client.id, JSON.parse(Buffer.from(rest ?? []).toString()));
	const first = JSON.parse(Buffer.from(sent.request.body).toString());
	const turns = Object.entries(next).map(([name, more]) => [
		name,
		[...([first[name]].flat() as unknown[]), ...more],
	]);
	const read = client.wire.read(
		sent.operation.id,
		Buffer.from(JSON.stringify({ ...first, ...Object.fromEntries(turns) })),
		{ parameters: { model: "m" }, query: "", header: () => undefined },
	);
	if (!read.ok) throw new Error(read.error.message);
	const again = passageOf(client, vendor, { ...sent, request: read.value });
	if (!again) return { cell: "lost" };
	const sentBack = Buffer.from(again.forward(undefined).body).toString();
	return { cell: sentBack.includes("U0lHTkVE") ? "carried" : "lost" };
}

/** What a client sends after an answer with one call: the answer as it came, and the tool's result. */
function goOn(client: string, answered: Body): Record<string, unknown[]> {
	switch (client) {
		case "openai-chat": {
			const { message } = answered.choices[0];
			const [call] = message.tool_calls;
			return {
				messages: [
					message,
					{ role: "tool", tool_call_id: call.id, content: "sunny" },
				],
			};
		}
		case "openai-responses": {
			const { call_id } = answered.output.find(
				({ type }: Body) => type === "function_call",
			);
			return {
				input: [
					...answered.output,
					{ type: "function_call_output", call_id, output: "sunny" },
				],
			};
		}
		case "anthropic-messages": {
			const { content } = answered;
			const { id } = content.find(({ type }: Body) => type === "tool_use");
			return {
				messages: [
					{ role: "assistant", content },
					{
						role: "user",
						content: [
							{ type: "tool_result", tool_use_id: id, content: "sunny" },
						],
					},
				],
			};
		}
		default: {
			const { content } = answered.candidates[0];
			return {
				contents: [
					content,
					{
						role: "user",
						parts: [
							{
								functionResponse: {
									name: "weather",
									response: { output: "sunny" },
								},
							},
						],
					},
				],
			};
		}
	}
}

// biome-ignore lint/suspicious/noExplicitAny: what our own writers wrote, read as a client would
type Body = any;

const signatures: Readonly<Record<string, object>> = {
	"openai-responses": { id: "rs_1", encrypted_content: "U0lHTkVE" },
	"anthropic-messages": { signature: "U0lHTkVE" },
	"google-generate": { signature: "U0lHTkVE" },
};

// ── The page ────────────────────────────────────────────────────────────────────────────────────

interface Row {
	readonly feature: string;
	readonly outcomes: readonly Outcome[];
}

const pairs = (client: Side, vendors: readonly Side[] = sides) =>
	vendors.filter(({ id }) => id !== client.id);

function rowsOfRequests(client: Side): Row[] {
	return askedFeatures.map((each) => ({
		feature: each.feature,
		outcomes: pairs(client).map((vendor) => tryRequest(client, vendor, each)),
	}));
}

function rowsOfAnswers(client: Side): Row[] {
	const told = answers.flatMap((each): Row[] => {
		const [whole, streamed] = [false, true].map((stream) =>
			pairs(client, clients).map((vendor) =>
				tryAnswer(client, vendor, each, stream),
			),
		) as [Outcome[], Outcome[]];
		const alike = whole.every(
			({ cell }, index) => cell === streamed[index]?.cell,
		);
		if (alike) return [{ feature: each.feature, outcomes: whole }];
		return [
			{ feature: each.feature, outcomes: whole },
			{ feature: `${each.feature}, streamed`, outcomes: streamed },
		];
	});
	return [
		...told,
		{
			feature: "Signed or encrypted reasoning, back on the next turn",
			outcomes: pairs(client, clients).map((vendor) =>
				trySignature(client, vendor),
			),
		},
	];
}

const tables = clients.map((client) => ({
	client,
	asked: rowsOfRequests(client).filter(isSaid),
	told: rowsOfAnswers(client).filter(isSaid),
}));

function isSaid({ outcomes }: Row): boolean {
	return outcomes.some(({ cell }) => cell !== "–");
}

function table(
	vendors: readonly Side[],
	title: string,
	rows: readonly Row[],
): string {
	const said = new Map<string, string[]>();
	for (const { feature, outcomes } of rows)
		outcomes.forEach(({ said: words }, index) => {
			if (words === undefined) return;
			const text = words.replaceAll("|", "\\|");
			const at = `${feature} → ${vendors[index]?.name}`;
			said.set(text, [...(said.get(text) ?? []), at]);
		});
	return [
		`| ${title} | ${vendors.map(({ name }) => name).join(" | ")} |`,
		`|---${"|---".repeat(vendors.length)}|`,
		...rows.map(
			({ feature, outcomes }) =>
				`| ${feature} | ${outcomes.map(({ cell }) => cell).join(" | ")} |`,
		),
		"",
		...[...said].map(([text, where]) => `- ${text} (${where.join("; ")})`),
	].join("\n");
}

const page = `# Wire protocols: what crosses

Where a client and the vendor that answers it speak the same protocol, the bytes pass as they are. Where they do not, the request and its answer are translated, and this page says what becomes of each thing that can be asked and answered. It is written by a test that sends each of them over: \`vitest run src/adapters/wire/carried.test.ts -u\` writes it anew, and the same test without \`-u\` fails where it is no longer true.

- **carried**: it arrives, and means the same there.
- **warned**: it is left out, or sent as what comes nearest. \`x-dos-warnings\` names the field, and the receipt has the sentence that stands below the table.
- **refused**: the call is answered with 422 and \`translate/unsupported\`, which names the field. Nothing is charged.
- **–**: one of the two has no words for it, so it does not arise.

Below each table stands why a cell is warned or refused. Places in quotes are those of the form between the protocols (\`"choices"\`, \`"messages.0.parts.1"\`); a client is told them in words of its own (\`n\`, \`input.0.parts.1\`).

Vendors are taken here as their protocol is documented, with a model that can do all of it. One with quirks of its own (\`takes\`, \`lacks\` in its row) takes more or less. Converse has no clients here, so its answers are not in the tables: fixtures beside its adapter show that they are read.

${tables
	.map(({ client, asked, told }) =>
		[
			`## Clients of ${client.name}`,
			table(pairs(client), "The client asks for", asked),
			table(pairs(client, clients), "The vendor answers with", told),
		].join("\n\n"),
	)
	.join("\n\n")}
`;

describe("between wire protocols", () => {
	it("the page of what crosses is what crosses", async () => {
		await expect(page).toMatchFileSnapshot("../../../docs/wire-protocols.md");
	});

	it("nothing is lost in silence", () => {
		const lost = tables.flatMap(({ client, asked, told }) =>
			[...asked, ...told].flatMap(({ feature, outcomes }) =>
				outcomes.flatMap(({ cell }, index) =>
					cell === "lost"
						? [`${client.id} → ${pairs(client)[index]?.id}: ${feature}`]
						: [],
				),
			),
		);
		expect(lost).toEqual([]);
	});
});
