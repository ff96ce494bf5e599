import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnswerPart, Finish } from "../../ports/canonical.ts";
import type { Reading } from "../../ports/reading.ts";
import type { Translator } from "../../ports/translator.ts";
import type { WireProtocol, WireRequest } from "../../ports/wire-protocol.ts";
import { spoken } from "./all.ts";
import { spread } from "./canonical/gather.ts";
import { openReadings } from "./reading.ts";

const readings = openReadings(spoken);
const bytes = (text: string) => Buffer.from(text);
const schema = {
	type: "object",
	properties: { n: { type: "integer" } },
	required: ["n"],
};

/** How a protocol's clients ask. */
interface Asking {
	readonly id: string;
	readonly operation: readonly [whole: string, streamed: string];
	readonly plain: object;
	readonly tools: object;
	readonly otherTools: object;
	readonly schema: object;
	readonly query?: string;
}

const messages = [{ role: "user", content: "Hi" }];
const parameters = schema;

const askings: readonly Asking[] = [
	{
		id: "openai-chat",
		operation: ["chat", "chat"],
		plain: { model: "m", messages },
		tools: {
			tools: [
				{ type: "function", function: { name: "find", parameters } },
				{ type: "custom", custom: { name: "write" } },
			],
		},
		// Of a kind that only its vendor knows: nothing is judged.
		otherTools: { tools: [{ type: "browser" }] },
		schema: {
			response_format: {
				type: "json_schema",
				json_schema: { name: "s", schema },
			},
		},
	},
	{
		id: "openai-responses",
		operation: ["responses", "responses"],
		plain: { model: "m", input: "Hi" },
		tools: {
			tools: [
				{ type: "function", name: "find", parameters },
				{ type: "custom", name: "write" },
			],
		},
		otherTools: { tools: [{ type: "mcp", server_label: "s" }] },
		schema: { text: { format: { type: "json_schema", name: "s", schema } } },
	},
	{
		id: "anthropic-messages",
		operation: ["messages", "messages"],
		plain: { model: "m", max_tokens: 9, messages },
		tools: { tools: [{ name: "find", input_schema: schema }] },
		otherTools: { tools: [{ type: "bash_20250124", name: "bash" }] },
		schema: { output_config: { format: { type: "json_schema", schema } } },
	},
	...(["", "alt=sse"] as const).map((query) => ({
		id: "google-generate",
		operation: ["generate-content", "stream-generate-content"] as const,
		plain: { contents: [{ role: "user", parts: [{ text: "Hi" }] }] },
		tools: {
			tools: [
				{
					function_declarations: [
						{ name: "find", parametersJsonSchema: schema },
					],
				},
			],
		},
		otherTools: { tools: [{ codeExecution: {} }] },
		schema: {
			generation_config: {
				responseMimeType: "application/json",
				responseJsonSchema: schema,
			},
		},
		query,
	})),
];

describe.each(
	askings.map(
		(each) =>
			[`${each.id}${each.query ? ` ${each.query}` : ""}`, each] as const,
	),
)("an answer in %s", (_, asking) => {
	const { wire, translator } = spoken.find(
		(each) => each.wire.id === asking.id,
	) as { wire: WireProtocol; translator: Translator };

	function ask(more: object, stream = false): WireRequest {
		const inAddress = asking.query !== undefined;
		const request = wire.read(
			asking.operation[stream ? 1 : 0],
			bytes(
				JSON.stringify({
					...asking.plain,
					...(stream && !inAddress && { stream }),
					...more,
				}),
			),
			{
				parameters: { model: "m" },
				query: asking.query ?? "",
				header: () => undefined,
			},
		);
		if (!request.ok) throw new Error(request.error.message);
		return request.value;
	}

	/** The answer as the client of this request gets it. */
	function given(
		request: WireRequest,
		parts: readonly AnswerPart[],
		reason: Finish["reason"] = "stop",
	): { contentType: string; body: Buffer } {
		const read = translator.readRequest(request, () => {});
		if (!read.ok) throw new Error(read.error.message);
		const asked = read.value;
		const naming = { call: "c", model: "m", time: 0 };
		const answer = { choices: [{ parts, finish: { reason } }] };
		if (!request.stream)
			return {
				contentType: "application/json",
				body: bytes(
					JSON.stringify(
						translator.writeAnswer(answer, asked, naming, () => {}),
					),
				),
			};
		const writer = translator.openWriter(asked, naming, request);
		return {
			contentType: writer.contentType ?? "text/event-stream",
			body: Buffer.concat(
				[writer.push(spread(answer)), writer.end()].flatMap(
					(piece) => piece ?? [],
				),
			),
		};
	}

	function read(
		request: WireRequest,
		{ contentType, body }: { contentType: string; body: Uint8Array },
	): Reading | undefined {
		return readings.read(wire, request, contentType, body);
	}

	const call = (name: string, args: string, more: object = {}): AnswerPart => ({
		type: "tool-call",
		id: "call_1",
		name,
		arguments: args,
		...more,
	});
	const text = (words: string): AnswerPart => ({ type: "text", text: words });

	describe.each([
		["whole", false],
		["streamed", true],
	])("%s", (_, stream) => {
		it("is read with the schema that it was to keep", () => {
			const request = ask(asking.schema, stream);
			const reading = read(request, given(request, [text('{"n":"é"}')]));
			expect(reading).toEqual({
				asked: { schema },
				answer: { text: '{"n":"é"}', toolCalls: [] },
			});
		});

		it("is read with the tools that it could call", () => {
			const request = ask(asking.tools, stream);
			const parts = [text("So."), call("find", '{"n":"x"}')];
			const reading = read(request, given(request, parts, "tool-calls"));
			expect(reading?.answer).toEqual({
				text: "So.",
				toolCalls: [{ name: "find", arguments: '{"n":"x"}' }],
			});
			expect(reading?.asked).toMatchObject({
				tools: expect.arrayContaining([{ name: "find", schema }]),
				others: false,
			});
		});

		it("is not read where it calls none and no schema was asked for", () => {
			const request = ask(asking.tools, stream);
			expect(read(request, given(request, [text("Hi")]))).toBeUndefined();
		});

		it.each([
			["cut short", "length"],
			["filtered", "content-filter"],
		] as const)("is not judged where it was %s", (_, reason) => {
			const request = ask(asking.schema, stream);
			const cut = given(request, [text('{"n":')], reason);
			expect(read(request, cut)).toBeUndefined();
		});

		it("is not read where it broke off", () => {
			const request = ask(asking.schema, stream);
			const { contentType, body } = given(request, [text('{"n":1}')]);
			const half = body.subarray(0, body.length / 2);
			expect(read(request, { contentType, body: half })).toBeUndefined();
		});

		it("is read or not, whatever its bytes, and nothing is thrown", () => {
			const request = ask({ ...asking.schema, ...asking.tools }, stream);
			const { contentType, body } = given(
				request,
				[call("find", "{}")],
				"tool-calls",
			);
			fc.assert(
				fc.property(
					fc.oneof(
						fc.uint8Array({ maxLength: 200 }),
						fc
							.nat(body.length - 1)
							.map((cut): Uint8Array => body.subarray(0, cut)),
						fc.tuple(fc.nat(body.length - 1), fc.nat(255)).map(([at, byte]) => {
							const other = Uint8Array.from(body);
							other[at] = byte;
							return other;
						}),
					),
					(other) => {
						const reading = read(request, { contentType, body: other });
						expect(reading?.asked.schema ?? schema).toEqual(schema);
					},
				),
				{ numRuns: 300 },
			);
		});
	});

	it("may call tools that are not known here", () => {
		const request = ask(asking.otherTools);
		const form = translator.readForm?.(request);
		if (asking.id === "openai-chat") expect(form?.ok).toBe(false);
		else {
			const parts = [call("bash", "{}")];
			expect(read(request, given(request, parts, "tool-calls"))).toMatchObject({
				asked: { tools: [], others: true },
			});
		}
	});
});

describe("streamed pieces", () => {
	const chat = spoken[0].wire;
	const request = (body: object) => {
		const read = chat.read(
			"chat",
			bytes(JSON.stringify({ model: "m", messages, stream: true, ...body })),
		);
		if (!read.ok) throw new Error(read.error.message);
		return read.value;
	};
	const stream = (...deltas: readonly object[]) =>
		bytes(
			[
				...deltas.map((delta) =>
					JSON.stringify({ choices: [{ index: 0, delta }] }),
				),
				'{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}',
				"[DONE]",
			]
				.map((data) => `data: ${data}\n\n`)
				.join(""),
		);

	it("of arguments are put together as they came, however broken", () => {
		const asked = request(askings[0]?.tools ?? {});
		const begun = { index: 0, id: "c", type: "function" };
		const reading = readings.read(
			chat,
			asked,
			"text/event-stream; charset=utf-8",
			stream(
				{
					tool_calls: [
						{ ...begun, function: { name: "find", arguments: '{"n":' } },
					],
				},
				{ tool_calls: [{ index: 0, function: { arguments: "1," } }] },
			),
		);
		expect(reading?.answer.toolCalls).toEqual([
			{ name: "find", arguments: '{"n":1,' },
		]);
		expect(reading?.asked.tools).toEqual([
			{ name: "find", schema },
			{ name: "write", text: true },
		]);
	});
});

it("a tool in a namespace is known by the name that calls have", () => {
	const found = spoken.find(({ wire }) => wire.id === "openai-responses");
	const wire = found?.wire as WireProtocol;
	const inner = (name: string, more: object = {}) => ({
		type: "function",
		name,
		parameters: schema,
		...more,
	});
	const request = wire.read(
		"responses",
		bytes(
			JSON.stringify({
				model: "m",
				input: "Hi",
				tools: [
					{
						type: "namespace",
						name: "one",
						tools: [inner("find"), inner("search")],
					},
					{ type: "namespace", name: "two", tools: [inner("search")] },
				],
			}),
		),
	);
	if (!request.ok) throw new Error(request.error.message);
	const reading = readings.read(
		wire,
		request.value,
		"application/json",
		bytes(
			JSON.stringify({
				status: "completed",
				output: [
					{
						type: "function_call",
						call_id: "c",
						namespace: "one",
						name: "find",
						arguments: "{",
					},
				],
			}),
		),
	);
	expect(reading?.answer.toolCalls).toEqual([{ name: "find", arguments: "{" }]);
	expect(reading?.asked.tools).toEqual([
		{ name: "find", schema },
		{ name: "search" },
		{ name: "search" },
	]);
});
