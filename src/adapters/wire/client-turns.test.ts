import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Passage } from "../../ports/crossing.ts";
import type { Quirks } from "../../ports/vendor.ts";
import type { WireProtocol } from "../../ports/wire-protocol.ts";
import { onlyOpenai } from "../vendors/only-openai.ts";
import { spoken } from "./all.ts";
import { openCrossings } from "./crossing.ts";

/*
 * Second turns of tool loops as the tools that people use send them: what they say is ours, its
 * shape theirs (the README.md of each folder of fixtures names the version that was seen).
 */

const crossings = openCrossings(spoken);
const models: Readonly<Record<string, string>> = {
	"openai-chat": "gpt-5.2",
	"openai-responses": "gpt-5.2",
	"anthropic-messages": "claude-sonnet-4-6",
	"google-generate": "gemini-3-pro",
	"bedrock-converse": "anthropic.claude-sonnet-4-6",
};

function protocol(id: string): WireProtocol {
	const found = spoken.find(({ wire }) => wire.id === id);
	if (!found) throw new Error(id);
	return found.wire;
}

function cross(
	client: string,
	turn: string,
	vendor: string,
	quirks: Quirks = {},
): Passage {
	const wire = protocol(client);
	const operation = wire.operations.find(({ means }) => means === "generate");
	if (!operation) throw new Error("no operation");
	const body = readFileSync(
		new URL(`./${client}/fixtures/${turn}-client-turn.json`, import.meta.url),
	);
	const request = wire.read(operation.id, body, {
		parameters: { model: "m" },
		query: "alt=sse",
		header: () => undefined,
	});
	if (!request.ok) throw new Error(request.error.message);
	const passage = crossings.open({
		wire,
		operation,
		request: request.value,
		vendor,
		change: {
			model: models[vendor] as string,
			outputLimit: 1000,
			quirks,
		},
		naming: { call: "call_1", model: "m", time: 1_764_000_000_000 },
	});
	if (!passage.ok)
		throw new Error(
			`${passage.error.message} ${JSON.stringify(passage.error.details)}`,
		);
	return passage.value;
}

function warned(client: string, turn: string): Record<string, string[]> {
	return Object.fromEntries(
		Object.keys(models)
			.filter((vendor) => vendor !== client)
			.map((vendor) => {
				const passage = cross(client, turn, vendor);
				const { body } = passage.forward(1000);
				expect(JSON.parse(Buffer.from(body).toString())).toBeTypeOf("object");
				return [
					vendor,
					passage.warnings.map(({ kind, field }) => `${kind} ${field}`).sort(),
				];
			}),
	);
}

describe("reaches every other protocol, with these warnings", () => {
	it("a turn of Claude Code", () => {
		expect(warned("anthropic-messages", "claude-code")).toMatchInlineSnapshot(`
			{
			  "bedrock-converse": [
			    "changed messages.2",
			    "dropped context_management",
			    "dropped metadata.user_id",
			  ],
			  "google-generate": [
			    "changed messages.2",
			    "dropped context_management",
			    "dropped messages.0.parts.1.cache",
			    "dropped messages.0.parts.2.cache",
			    "dropped messages.4.parts.1.cache",
			    "dropped metadata.user_id",
			    "dropped tools.1.schema.properties.answers.propertyNames",
			    "dropped tools.1.schema.properties.url.pattern",
			    "dropped tools.1.schema.properties.writes.items.maxLength",
			    "dropped tools.1.schema.properties.writes.items.minLength",
			  ],
			  "openai-chat": [
			    "changed metadata.user_id",
			    "dropped cache_control",
			    "dropped context_management",
			    "dropped messages.4.parts.1.error",
			  ],
			  "openai-responses": [
			    "changed metadata.user_id",
			    "dropped context_management",
			    "dropped messages.0.parts.1.cache",
			    "dropped messages.0.parts.2.cache",
			    "dropped messages.4.parts.1.cache",
			    "dropped messages.4.parts.1.error",
			  ],
			}
		`);
	});
	it("a turn of Codex", () => {
		expect(warned("openai-responses", "codex")).toMatchInlineSnapshot(`
			{
			  "anthropic-messages": [
			    "dropped client_metadata",
			    "dropped input.4.parts.0",
			    "dropped prompt_cache_key",
			  ],
			  "bedrock-converse": [
			    "dropped client_metadata",
			    "dropped input.4.parts.0",
			    "dropped prompt_cache_key",
			    "dropped tools.3",
			  ],
			  "google-generate": [
			    "dropped client_metadata",
			    "dropped input.4.parts.0.opaque",
			    "dropped prompt_cache_key",
			  ],
			  "openai-chat": [
			    "dropped client_metadata",
			    "dropped input.reasoning",
			    "dropped input.reasoning.opaque",
			    "dropped reasoning.summary",
			  ],
			}
		`);
	});
	it("turns of Codex, at a vendor that has nothing of Chat that is OpenAI's own", () => {
		const passages = ["codex", "codex-code"].map((turn) =>
			cross("openai-responses", turn, "openai-chat", { lacks: onlyOpenai }),
		);
		expect(
			passages.map(({ warnings }) =>
				warnings
					.filter(({ field }) => field.startsWith("tools"))
					.map(({ kind, field }) => `${kind} ${field}`),
			),
		).toEqual([["dropped tools.3"], ["changed tools.0"]]);
	});
	it("a turn of Codex that writes code to call its tools", () => {
		expect(warned("openai-responses", "codex-code")).toMatchInlineSnapshot(`
			{
			  "anthropic-messages": [
			    "changed input.0.tools",
			    "changed tools.0",
			    "dropped client_metadata",
			    "dropped prompt_cache_key",
			    "dropped reasoning.context",
			    "dropped text.verbosity",
			  ],
			  "bedrock-converse": [
			    "changed input.0.tools",
			    "changed tools.0",
			    "dropped client_metadata",
			    "dropped parallel_tool_calls",
			    "dropped prompt_cache_key",
			    "dropped reasoning.context",
			    "dropped text.verbosity",
			  ],
			  "google-generate": [
			    "changed input.0.tools",
			    "changed tools.0",
			    "dropped client_metadata",
			    "dropped parallel_tool_calls",
			    "dropped prompt_cache_key",
			    "dropped reasoning.context",
			    "dropped text.verbosity",
			    "dropped tools.2.schema.properties.message.encrypted",
			  ],
			  "openai-chat": [
			    "changed input.0.tools",
			    "dropped client_metadata",
			    "dropped reasoning.context",
			  ],
			}
		`);
	});
	it("a turn of Gemini CLI", () => {
		expect(warned("google-generate", "gemini-cli")).toMatchInlineSnapshot(`
			{
			  "anthropic-messages": [
			    "dropped contents.2.parts.1.opaque",
			    "dropped generationConfig.topK",
			    "dropped generationConfig.topP",
			  ],
			  "bedrock-converse": [
			    "dropped contents.2.parts.1.opaque",
			    "dropped generationConfig.topK",
			    "dropped generationConfig.topP",
			  ],
			  "openai-chat": [
			    "dropped contents.3.parts.1.error",
			    "dropped contents.tool-call.opaque",
			    "dropped generationConfig.thinkingConfig.includeThoughts",
			    "dropped generationConfig.topK",
			  ],
			  "openai-responses": [
			    "dropped contents.2.parts.1.opaque",
			    "dropped contents.3.parts.1.error",
			    "dropped generationConfig.topK",
			  ],
			}
		`);
	});
	it("a turn of opencode", () => {
		expect(warned("openai-chat", "opencode")).toMatchInlineSnapshot(`
			{
			  "anthropic-messages": [],
			  "bedrock-converse": [],
			  "google-generate": [],
			  "openai-responses": [],
			}
		`);
	});
});

describe("what the tools were seen to need", () => {
	it("Claude Code's name of the user is longer than OpenAI takes: its hash goes", () => {
		for (const [vendor, member] of [
			["openai-chat", "user"],
			["openai-responses", "safety_identifier"],
		] as const) {
			const passage = cross("anthropic-messages", "claude-code", vendor);
			const { body } = passage.forward(1000);
			expect(JSON.parse(Buffer.from(body).toString())[member]).toMatch(
				/^[0-9a-f]{64}$/,
			);
		}
	});

	it("opencode reads a call piece by piece, and in each something of its function", () => {
		const passage = cross("openai-chat", "opencode", "google-generate");
		const { meter } = passage.answer(
			passage.forward(1000),
			200,
			"text/event-stream",
		);
		const call = {
			functionCall: { name: "read", args: { filePath: "/a" } },
			thoughtSignature: "c2lnbmF0dXJl",
		};
		const chunk = {
			candidates: [
				{ content: { role: "model", parts: [call] }, finishReason: "STOP" },
			],
		};
		const passed = meter.pass(
			Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`),
		);
		const calls = Buffer.concat([
			passed ?? Buffer.alloc(0),
			meter.finish().rest ?? Buffer.alloc(0),
		])
			.toString()
			.split("\n")
			.filter((line) => line.startsWith("data: {"))
			.flatMap((line) => JSON.parse(line.slice(6)).choices)
			.flatMap(({ delta }) => delta.tool_calls ?? []);
		expect(calls.some((each) => each.extra_content)).toBe(true);
		for (const each of calls) expect(each.function).toBeTypeOf("object");
	});
});

describe("tools of Codex at a vendor that has neither namespaces nor tools of text", () => {
	const passage = cross("openai-responses", "codex-code", "anthropic-messages");
	const forwarded = passage.forward(1000);
	const sent = JSON.parse(Buffer.from(forwarded.body).toString());

	it("are functions of their whole names, and so are calls that were made", () => {
		expect(sent.tools.map(({ name }: { name: string }) => name)).toEqual([
			"functions__exec",
			"functions__wait",
			"collaboration__send_message",
		]);
		expect(sent.tools[0]).toMatchObject({
			description: expect.stringContaining("start: SOURCE"),
			input_schema: { required: ["input"] },
		});
		expect(JSON.stringify(sent.messages)).toContain(
			'"name":"functions__exec","input":{"input":"text(await tools.read(\\"a\\"))"}',
		);
	});

	const call = (name: string, index: number, pieces: string[]) => [
		`{"type":"content_block_start","index":${index},"content_block":{"type":"tool_use","id":"toolu_${index}","name":"${name}","input":{}}}`,
		...pieces.map(
			(piece) =>
				`{"type":"content_block_delta","index":${index},"delta":{"type":"input_json_delta","partial_json":${JSON.stringify(piece)}}}`,
		),
		`{"type":"content_block_stop","index":${index}}`,
	];
	const stream = [
		'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}',
		...call("functions__exec", 0, ['{"inp', 'ut":"text(\\n', '1)"}']),
		...call("functions__wait", 1, ['{"cell_id":"7"}']),
		'{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}',
		'{"type":"message_stop"}',
	]
		.map((data) => `event: ${JSON.parse(data).type}\ndata: ${data}\n\n`)
		.join("");

	it("are called under the names that the client gave, with text where it takes text", () => {
		const { meter } = passage.answer(forwarded, 200, "text/event-stream");
		const passed = meter.pass(Buffer.from(stream)) ?? Buffer.alloc(0);
		const rest = meter.finish().rest ?? Buffer.alloc(0);
		const events = `${Buffer.from(passed)}${Buffer.from(rest)}`
			.split("\n")
			.filter((line) => line.startsWith("data: "))
			.map((line) => JSON.parse(line.slice(6)));
		const done = events.filter(
			({ type }) => type === "response.output_item.done",
		);
		expect(done.map(({ item }) => item)).toMatchObject([
			{
				type: "custom_tool_call",
				namespace: "functions",
				name: "exec",
				input: "text(\n1)",
			},
			{
				type: "function_call",
				namespace: "functions",
				name: "wait",
				arguments: '{"cell_id":"7"}',
			},
		]);
		expect(
			events.find(
				({ type }) => type === "response.custom_tool_call_input.delta",
			),
		).toMatchObject({ delta: "text(\n1)" });
		// The tools are said again as they were sent.
		expect(events.at(-1).response.tools[0]).toMatchObject({
			type: "namespace",
			name: "functions",
			tools: [
				{ type: "custom", name: "exec" },
				{ type: "function", name: "wait" },
			],
		});
	});
});
