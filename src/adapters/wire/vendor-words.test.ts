import { expect, it } from "vitest";
import type { CanonicalRequest, Message } from "../../ports/canonical.ts";
import type { Quirks } from "../../ports/vendor.ts";
import { spoken } from "./all.ts";
import { armed, base64, plain, weather } from "./asked-features.testing.ts";

/*
 * What becomes of a request at a vendor whose row names what it takes and lacks: said in the vendor's
 * own words, warned of, or refused.
 */

const chat = "openai-chat";
const responses = "openai-responses";
const google = "google-generate";

function write(
	protocol: string,
	quirks: Quirks,
	asked: Partial<CanonicalRequest>,
	model = "model",
) {
	const translator = spoken.find(
		({ wire }) => wire.id === protocol,
	)?.translator;
	if (!translator) throw new Error(protocol);
	const warned: string[] = [];
	const written = translator.writeRequest(
		{ ...plain, ...asked },
		{ model, outputLimit: undefined, quirks },
		({ kind, field }) => warned.push(`${kind} ${field}`),
	);
	return {
		refused: written.ok ? undefined : written.error.details?.field,
		body: written.ok ? JSON.parse(JSON.stringify(written.value.body)) : {},
		warned,
	};
}

function showing(
	...parts: Extract<Message, { role: "user" }>["parts"]
): Partial<CanonicalRequest> {
	return { messages: [{ role: "user", parts }] };
}

const image = {
	type: "image",
	source: base64("image/png"),
	detail: "low",
} as const;
const pdf = {
	type: "document",
	source: base64("application/pdf"),
	name: "a.pdf",
} as const;
const audio = { type: "audio", source: base64("audio/wav") } as const;
const searching = { tools: [weather, { type: "web-search" as const }] };

it.each<[string, Quirks, Partial<CanonicalRequest>, string]>([
	[chat, { lacks: ["file"] }, showing(pdf), "messages.0.parts.0"],
	[chat, { lacks: ["input_audio"] }, showing(audio), "messages.0.parts.0"],
	[chat, {}, { modalities: ["text", "image"] }, "modalities.1"],
	[responses, {}, showing(audio), "messages.0.parts.0"],
	[responses, { lacks: ["input_file"] }, showing(pdf), "messages.0.parts.0"],
	[
		responses,
		{ lacks: ["top_logprobs"] },
		{ logprobs: { alternatives: 0 } },
		"logprobs",
	],
	[responses, { lacks: ["text"] }, { output: { type: "json" } }, "output"],
	[
		responses,
		{ lacks: ["tool_choice"] },
		{ ...armed, toolChoice: { mode: "required" } },
		"toolChoice",
	],
	[
		responses,
		{ lacks: ["tool_choice"] },
		{ ...armed, toolChoice: { mode: "tool", name: "weather" } },
		"toolChoice",
	],
	[
		responses,
		{ lacks: ["output_parts"] },
		{
			messages: [
				{
					role: "assistant",
					parts: [
						{ type: "tool-call", id: "c", name: "weather", arguments: "{}" },
					],
				},
				{
					role: "tool",
					parts: [{ type: "tool-result", call: "c", parts: [image] }],
				},
			],
		},
		"messages.1.parts.0.parts.0",
	],
])("%s, %o: refuses %o", (protocol, quirks, asked, field) => {
	expect(write(protocol, quirks, asked).refused).toBe(field);
});

it.each<[string, Quirks, Partial<CanonicalRequest>, object, string[]]>([
	[
		chat,
		{ takes: ["document_url"] },
		showing(pdf),
		{
			messages: [
				{
					content: [
						{
							type: "document_url",
							document_url: "data:application/pdf;base64,QUJD",
							document_name: "a.pdf",
						},
					],
				},
			],
		},
		[],
	],
	[
		chat,
		{ takes: ["audio_data"] },
		showing(audio),
		{ messages: [{ content: [{ type: "input_audio", input_audio: "QUJD" }] }] },
		[],
	],
	[chat, { takes: ["random_seed"] }, { seed: 7 }, { random_seed: 7 }, []],
	[
		chat,
		{ takes: ["web_search"] },
		{
			tools: [
				{ type: "web-search", allowedDomains: ["example.com"], mostUses: 2 },
			],
		},
		{
			tools: [
				{
					type: "web_search",
					allowed_domains: ["example.com"],
					max_uses: 2,
				},
			],
		},
		[],
	],
	[
		chat,
		{},
		{
			tools: [
				{
					type: "custom",
					name: "run",
					format: { type: "grammar", syntax: "regex", definition: "a" },
				},
			],
		},
		{
			tools: [
				{
					custom: {
						format: {
							type: "grammar",
							grammar: { syntax: "regex", definition: "a" },
						},
					},
				},
			],
		},
		[],
	],
	[
		chat,
		{ lacks: ["parameterless"] },
		{ tools: [{ type: "function", name: "now" }] },
		{
			tools: [{ function: { parameters: { type: "object", properties: {} } } }],
		},
		[],
	],
	[
		chat,
		{ takes: ["prompt_cache_breakpoint"] },
		{ tools: [{ ...weather, cache: {} }] },
		{ tools: [{ type: "function" }] },
		["dropped cache"],
	],
	[
		chat,
		{ lacks: ["detail"] },
		showing(image),
		{
			messages: [
				{
					content: [{ image_url: { url: "data:image/png;base64,QUJD" } }],
				},
			],
		},
		["dropped messages.0.parts.0.detail"],
	],
	[
		responses,
		{ lacks: ["detail"] },
		showing(image),
		{
			input: [
				{
					content: [
						{ type: "input_image", image_url: "data:image/png;base64,QUJD" },
					],
				},
			],
		},
		["dropped messages.0.parts.0.detail"],
	],
	[
		responses,
		{ lacks: ["tool_choice"] },
		{
			...armed,
			toolChoice: { mode: "allowed", names: ["news"], required: false },
		},
		{ tools: [{ name: "news" }] },
		["changed toolChoice"],
	],
	[
		responses,
		{ lacks: ["text"], takes: ["response_format"] },
		{
			output: { type: "json-schema", name: "n", schema: { type: "object" } },
			verbosity: "low",
		},
		{
			response_format: {
				type: "json_schema",
				json_schema: { name: "n", schema: { type: "object" } },
			},
		},
		["dropped verbosity"],
	],
	[
		responses,
		{ lacks: ["summary"], efforts: ["low", "high"] },
		{ reasoning: { effort: "xhigh", show: "auto" } },
		{ reasoning: { effort: "high" } },
		["dropped reasoning.show", "changed reasoning.effort"],
	],
	[
		google,
		{ lacks: ["serviceTier"] },
		{ serviceTier: "flex" },
		{ contents: [{ role: "user" }] },
		["dropped serviceTier"],
	],
	[
		google,
		{ lacks: ["includeServerSideToolInvocations"] },
		searching,
		{ tools: [{ functionDeclarations: [{ name: "weather" }] }] },
		["dropped tools.1"],
	],
])("%s, %o: says %o otherwise", (protocol, quirks, asked, body, warnings) => {
	const written = write(protocol, quirks, asked);
	expect(written.refused).toBeUndefined();
	expect(written.body).toMatchObject(body);
	expect(written.warned).toEqual(warnings);
});

it("leaves out of a narrow vendor's request what only steers, and warns of each", () => {
	const lacks = [
		"include",
		"metadata",
		"parallel_tool_calls",
		"prompt_cache_key",
		"safety_identifier",
		"service_tier",
		"temperature",
		"top_p",
		"tool_choice",
	];
	const { body, warned } = write(
		responses,
		{ lacks },
		{
			...armed,
			toolChoice: { mode: "none" },
			parallelToolCalls: false,
			metadata: { a: "b" },
			cacheKey: "k",
			user: "u",
			serviceTier: "flex",
			temperature: 1,
			topP: 1,
			reasoning: { effort: "low" },
		},
	);
	expect(Object.keys(body).sort()).toEqual(
		["model", "input", "max_output_tokens", "reasoning", "store"].sort(),
	);
	expect(warned.sort()).toEqual(
		[
			"changed toolChoice",
			...[
				"cacheKey",
				"metadata",
				"parallelToolCalls",
				"serviceTier",
				"temperature",
				"topP",
				"user",
			].map((field) => `dropped ${field}`),
		].sort(),
	);
});

it("offers models that cannot mix tools the client's alone, and refuses a search that has to be", () => {
	const { body, warned } = write(google, {}, searching, "gemini-2.5-flash");
	expect(body.tools).toHaveLength(1);
	expect(warned).toEqual(["dropped tools.1"]);
	const alone = write(
		google,
		{},
		{ tools: [{ type: "web-search" }] },
		"gemini-2.5-flash",
	);
	expect(alone.body.tools).toEqual([{ googleSearch: {} }]);
	expect(alone.warned).toEqual([]);
});
