import type {
	AnswerPart,
	CanonicalRequest,
	MediaPart,
	MediaSource,
	Message,
	Tool,
	ToolResultPart,
} from "../../ports/canonical.ts";

/*
 * Everything that can be asked for, a feature at a time: what the page of what crosses is made of, and
 * what the bodies that go to vendors are made of, to be held to the vendors' own schemas.
 */

type FunctionTool = Extract<Tool, { type: "function" }>;

export interface AskedFeature {
	readonly feature: string;
	readonly asked: CanonicalRequest;
	/** The same without the feature. */
	readonly base?: CanonicalRequest;
	/** The feature, of what was asked and of what the vendor is told. */
	view(request: CanonicalRequest): unknown;
}

const user = (text: string): Message => ({
	role: "user",
	parts: [{ type: "text", text }],
});
export const plain: CanonicalRequest = {
	model: "m",
	messages: [user("Hello")],
	outputLimit: 4_000,
	stream: false,
	streamUsage: false,
};
const showing = (
	...parts: Extract<Message, { role: "user" }>["parts"]
): CanonicalRequest => ({
	...plain,
	messages: [
		{ role: "user", parts: [{ type: "text", text: "Look" }, ...parts] },
	],
});
const schema = {
	type: "object",
	properties: { city: { type: "string" } },
	required: ["city"],
	additionalProperties: false,
};
export const weather: FunctionTool = {
	type: "function",
	name: "weather",
	description: "The weather.",
	schema,
};
export const armed: CanonicalRequest = {
	...plain,
	tools: ["weather", "news", "time"].map((name) => ({ ...weather, name })),
};
export function base64(
	mediaType: string,
): Extract<MediaSource, { type: "base64" }> {
	return { type: "base64", mediaType, data: "QUJD" };
}

const used = (...results: Partial<ToolResultPart>[]): CanonicalRequest => ({
	...armed,
	messages: [
		user("Zürich and Genève?"),
		{
			role: "assistant",
			parts: results.map((_, index) => ({
				type: "tool-call",
				id: `call_${index}`,
				name: "weather",
				arguments: `{"city":"${index}"}`,
			})),
		},
		{
			role: "tool",
			parts: results.map((result, index) => ({
				type: "tool-result",
				call: `call_${index}`,
				name: "weather",
				parts: [{ type: "text", text: `sunny ${index}` }],
				...result,
			})),
		},
	],
});

const member = (
	feature: string,
	asked: Partial<CanonicalRequest>,
	base: CanonicalRequest = plain,
): AskedFeature => ({
	feature,
	asked: { ...base, ...asked },
	base,
	view: (request) =>
		Object.keys(asked).map((key) => request[key as keyof CanonicalRequest]),
});
const media = (feature: string, asked: CanonicalRequest): AskedFeature => ({
	feature,
	asked,
	view: ({ messages }) =>
		messages
			.flatMap(({ parts }): readonly object[] => parts)
			.filter((part) => "source" in part)
			.map((part) => {
				const { type, source } = part as MediaPart;
				if (source.type === "url") return [type, source.url];
				if (source.type === "base64") return [type, source.data];
				return [type, source.type === "text" && btoa(source.text)];
			}),
});
const instructions = ({ messages }: CanonicalRequest) =>
	messages
		.filter(({ role }) => role === "system" || role === "developer")
		.map(({ parts }) => textIn(parts));
const results = ({ messages }: CanonicalRequest) =>
	messages.flatMap(({ role, parts }) =>
		role === "tool" ? (parts as readonly ToolResultPart[]) : [],
	);
export function callsIn(
	parts: readonly AnswerPart[],
): [name: string, input: unknown][] {
	return parts.flatMap((part): [string, unknown][] =>
		part.type === "tool-call" ? [[part.name, JSON.parse(part.arguments)]] : [],
	);
}
export function textIn(parts: readonly object[]): string {
	return parts
		.map((part) =>
			"type" in part && part.type === "text"
				? String((part as { text?: unknown }).text)
				: "",
		)
		.join("");
}

export const askedFeatures: readonly AskedFeature[] = [
	{
		feature: "System messages",
		asked: {
			...plain,
			messages: [
				{ role: "system", parts: [{ type: "text", text: "Be kind." }] },
				...plain.messages,
			],
		},
		view: instructions,
	},
	{
		feature: "Developer messages",
		asked: {
			...plain,
			messages: [
				{ role: "developer", parts: [{ type: "text", text: "Be kind." }] },
				...plain.messages,
			],
		},
		view: instructions,
	},
	{
		feature: "System messages within a conversation",
		asked: {
			...plain,
			messages: [
				user("One"),
				{ role: "assistant", parts: [{ type: "text", text: "Two" }] },
				{ role: "system", parts: [{ type: "text", text: "Be kind." }] },
				user("Three"),
			],
		},
		view: ({ messages }) => messages.map(({ role }) => role === "system"),
	},
	{
		feature: "Tools, with parallel calls and their results",
		asked: used({}, {}),
		view: ({ tools, messages }) => [
			tools?.map((tool) => (tool.type === "function" ? tool.name : tool.type)),
			messages.flatMap(({ role, parts }) =>
				role === "assistant" ? callsIn(parts as readonly AnswerPart[]) : [],
			),
			results({ ...plain, messages }).map(({ parts }) => textIn(parts)),
		],
	},
	{
		feature: "Images in tool results",
		asked: used({
			parts: [
				{ type: "text", text: "Here" },
				{ type: "image", source: base64("image/png") },
			],
		}),
		view: (request) =>
			results(request).map(({ parts }) => parts.map(({ type }) => type)),
	},
	{
		feature: "Tools that failed",
		asked: used({ error: true }),
		view: (request) => results(request).map(({ error }) => error),
	},
	member("Tools that take plain text", {
		tools: [{ type: "custom", name: "shell", description: "Runs it." }],
	}),
	member(
		"A tool that has to be called",
		{ toolChoice: { mode: "tool", name: "weather" } },
		armed,
	),
	member(
		"Some tool that has to be called",
		{ toolChoice: { mode: "required" } },
		armed,
	),
	member(
		"Only some of the tools",
		{
			toolChoice: {
				mode: "allowed",
				names: ["weather", "news"],
				required: true,
			},
		},
		armed,
	),
	member("No tool may be called", { toolChoice: { mode: "none" } }, armed),
	member("One call at a time", { parallelToolCalls: false }, armed),
	{
		feature: "Arguments held to a schema",
		asked: { ...plain, tools: [{ ...weather, strict: true }] },
		view: ({ tools }) =>
			tools?.map((tool) => tool.type === "function" && tool.strict === true),
	},
	{
		feature: "Some JSON as the answer",
		asked: { ...plain, messages: [user("In JSON")], output: { type: "json" } },
		view: ({ output }) => output?.type,
	},
	{
		feature: "An answer held to a JSON schema",
		asked: {
			...plain,
			output: { type: "json-schema", name: "city", schema, strict: true },
		},
		view: ({ output }) =>
			output?.type === "json-schema" && output.schema.properties,
	},
	media("Images", showing({ type: "image", source: base64("image/png") })),
	media(
		"Images at an address",
		showing({
			type: "image",
			source: { type: "url", url: "https://example.com/a.png" },
		}),
	),
	{
		feature: "How closely to look at images",
		asked: showing({
			type: "image",
			source: base64("image/png"),
			detail: "low",
		}),
		view: ({ messages }) =>
			messages
				.flatMap(({ parts }): readonly object[] => parts)
				.map((part) => "detail" in part && part.detail),
	},
	media(
		"PDFs",
		showing({
			type: "document",
			source: base64("application/pdf"),
		}),
	),
	media(
		"PDFs at an address",
		showing({
			type: "document",
			source: {
				type: "url",
				url: "https://example.com/a.pdf",
				mediaType: "application/pdf",
			},
		}),
	),
	media(
		"Documents of plain text",
		showing({
			type: "document",
			source: { type: "text", mediaType: "text/plain", text: "Owls" },
		}),
	),
	{
		feature: "Documents that answers may cite",
		asked: showing({
			type: "document",
			source: base64("application/pdf"),
			name: "a.pdf",
			citable: true,
		}),
		view: ({ messages }) =>
			messages
				.flatMap(({ parts }): readonly object[] => parts)
				.map((part) => "citable" in part && part.citable),
	},
	media("Audio", showing({ type: "audio", source: base64("audio/wav") })),
	media("Video", showing({ type: "video", source: base64("video/mp4") })),
	{
		...member("How much to reason: an effort", {
			reasoning: { effort: "low" },
		}),
		view: ({ reasoning }) => reasoning?.effort,
	},
	member("How much to reason: a number of tokens", {
		reasoning: { budget: 2_000, show: "auto" },
	}),
	{
		feature: "Whether reasoning is shown",
		asked: { ...plain, reasoning: { effort: "high", show: "auto" } },
		view: ({ reasoning }) => reasoning?.show,
	},
	{
		feature: "Marks where the prompt may be cached",
		asked: {
			...plain,
			messages: [
				{
					role: "user",
					parts: [{ type: "text", text: "Hello", cache: { ttl: "5m" } }],
				},
			],
		},
		view: ({ messages }) =>
			messages
				.flatMap(({ parts }): readonly object[] => parts)
				.some((part) => "cache" in part),
	},
	member("Names of cached prefixes", { cacheKey: "k" }),
	member("Limit of output", { outputLimit: 3_000 }),
	member("Stop sequences", { stop: ["END"] }),
	member("Temperature", { temperature: 0.5 }),
	member("top_p", { topP: 0.5 }),
	member("top_k", { topK: 5 }),
	member("Seed", { seed: 7 }),
	member("Penalties", { frequencyPenalty: 0.5, presencePenalty: 0.5 }),
	member("Log probabilities", { logprobs: { alternatives: 2 } }),
	member("Several answers", { choices: 2 }),
	member("Service tier", { serviceTier: "flex" }),
	member("User id", { user: "u1" }),
	member("Metadata", { metadata: { team: "blue" } }),
	member("Verbosity", { verbosity: "low" }),
	{
		feature: "Web search by the vendor",
		asked: { ...plain, tools: [{ type: "web-search" }] },
		view: ({ tools }) => tools?.some(({ type }) => type === "web-search"),
	},
	member("Audio as output", {
		modalities: ["text", "audio"],
		voice: { name: "alloy", format: "wav" },
	}),
	member("Images as output", { modalities: ["text", "image"] }),
	{
		feature: "Names of those who speak",
		asked: {
			...plain,
			messages: [
				{
					role: "user",
					name: "ada",
					parts: [{ type: "text", text: "Hello" }],
				},
			],
		},
		view: ({ messages }) =>
			messages.map((each) => "name" in each && each.name === "ada"),
	},
];
