import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
	AnswerEvent,
	CanonicalAnswer,
	CanonicalRequest,
	Finish,
	Tool,
} from "./canonical.ts";
import type { Json, Translator, Warning } from "./translator.ts";
import type { Quirks } from "./vendor.ts";
import type {
	RequestTarget,
	WireProtocol,
	WireRequest,
} from "./wire-protocol.ts";

/** What a translator's suite is run with: fixtures as the vendor documents them, and what the protocol can express. */
export interface TranslatorSamples {
	/** The operation that generates and streams: `chat`. */
	readonly operation: string;
	/** A minimal request to it, and its target where the address says part of it. */
	readonly request: Json;
	/** The same, streaming, where that is another operation. */
	readonly streaming?: {
		readonly operation: string;
		readonly request: Json;
	};
	/** What stands in the address and headers of a request for this model. */
	target?(model: string, stream: boolean): RequestTarget;
	/** A request whose conversation ends in a tool call that nothing answers. Read as it is, or refused. */
	readonly unanswered: Json;
	/** Whole answers. `tools` has two calls. `empty` has no part at all. */
	readonly answers: {
		readonly text: unknown;
		readonly tools: unknown;
		readonly empty: unknown;
	};
	/** Whole streams. `tools` has two calls, `reasoning` reasons and then calls a tool, `empty` has no part, `error` has text and then an error. */
	readonly streams: {
		readonly text: Uint8Array;
		readonly tools: Uint8Array;
		readonly reasoning: Uint8Array;
		readonly empty: Uint8Array;
		readonly error: Uint8Array;
	};
	/** Frames that no client of today knows; they may stand between any two others of `streams.text`. */
	readonly unknownEvents: readonly string[];
	/** `sse`: streams are server-sent events with JSON objects as data. */
	readonly framing: "sse" | "other";
	/** Where they are not: the frames of a stream, a character a byte (as in `unknownEvents`). */
	framesOf?(stream: Uint8Array): readonly string[];
	/** Vendors' error bodies with the message and the code inside. */
	readonly errors: readonly {
		readonly status: number;
		readonly body: unknown;
		readonly message: string;
		readonly code?: string;
	}[];
	/** Requests and answers that come back from the protocol as they went in, without a warning. */
	readonly expressible: {
		readonly requests: fc.Arbitrary<CanonicalRequest>;
		/** One choice, unless the protocol has more. */
		readonly answers: fc.Arbitrary<CanonicalAnswer>;
		/** The events of such an answer. */
		readonly events: fc.Arbitrary<{
			readonly answer: CanonicalAnswer;
			readonly events: readonly AnswerEvent[];
		}>;
		/** What a request that asks for these answers has beyond a minimal one. */
		readonly asking?: Partial<CanonicalRequest>;
		/** Takes out of an answer what streams of the protocol do not say, before the two are compared. */
		readonly streamed?: (answer: CanonicalAnswer) => CanonicalAnswer;
	};
	/** Of the vendor that requests are written to in this suite. */
	readonly quirks?: Quirks;
	/** Of each property. */
	readonly runs?: number;
	/** No client speaks the protocol: this is what is asked, and what concerns clients' directions does not apply. */
	readonly vendorOnly?: CanonicalRequest;
}

const naming = {
	call: "call-1",
	model: "asked-model",
	time: 1_700_000_000_000,
};

/** What every translator promises, whatever its protocol. */
export function translatorContract(
	name: string,
	make: () => {
		translator: Translator;
		wire: WireProtocol;
		samples: TranslatorSamples;
	},
): void {
	describe(`translator: ${name}`, () => {
		const { translator, wire, samples } = make();
		const { expressible, streams, answers } = samples;
		const change = {
			model: "asked-model",
			outputLimit: undefined,
			quirks: samples.quirks ?? {},
		};
		const runs = samples.runs ?? 150;
		const { vendorOnly } = samples;
		/** For promises about what clients send and get. */
		const itOfClients = it.skipIf(vendorOnly !== undefined);
		const streaming = samples.streaming ?? {
			operation: samples.operation,
			request: { ...samples.request, stream: true },
		};

		function readWire(body: unknown, stream = false, model = "asked-model") {
			return wire.read(
				stream ? streaming.operation : samples.operation,
				encode(body),
				samples.target?.(model, stream),
			);
		}
		function wireRequest(stream: boolean): WireRequest {
			if (vendorOnly) return unread(samples.operation, stream);
			return accepted(
				readWire(stream ? streaming.request : samples.request, stream),
			);
		}
		function requestOf(stream: boolean): CanonicalRequest {
			return {
				...(vendorOnly ??
					accepted(translator.readRequest(wireRequest(stream), quiet))),
				...expressible.asking,
				stream,
				streamUsage: true,
			};
		}
		function streamOf(
			bytes: Uint8Array,
			size: number = bytes.length,
		): AnswerEvent[] {
			const reader = translator.openReader(requestOf(true));
			const events: AnswerEvent[] = [];
			for (let at = 0; at < bytes.length; at += size)
				events.push(...reader.push(bytes.slice(at, at + size)));
			events.push(...reader.end());
			return events;
		}
		function written(
			events: readonly AnswerEvent[],
			size: number = events.length,
		): Buffer {
			const writer = translator.openWriter(
				requestOf(true),
				naming,
				wireRequest(true),
			);
			const pieces: Uint8Array[] = [];
			for (let at = 0; at < events.length; at += size) {
				const piece = writer.push(events.slice(at, at + size));
				if (piece) pieces.push(piece);
			}
			const rest = writer.end();
			if (rest) pieces.push(rest);
			return Buffer.concat(pieces);
		}
		function metered(bytes: Uint8Array, contentType: string) {
			const request = wireRequest(contentType !== "application/json");
			const meter = wire.meter(
				request,
				{ body: request.body, usageAsked: false },
				200,
				contentType,
			);
			meter.pass(bytes);
			return meter.finish();
		}

		it("belongs to its protocol", () => {
			expect(translator.id).toBe(wire.id);
		});

		describe("requests", () => {
			itOfClients("reads a minimal one without a warning", () => {
				const { warnings, warn } = collect();
				const request = accepted(
					translator.readRequest(wireRequest(false), warn),
				);
				expect(request).toMatchObject({ model: "asked-model", stream: false });
				expect(request.messages.length).toBeGreaterThan(0);
				expect(warnings).toEqual([]);
				expect(
					accepted(translator.readRequest(wireRequest(true), quiet)).stream,
				).toBe(true);
			});

			itOfClients(
				"warns of members that it does not know, and says none of their values",
				() => {
					const { warnings, warn } = collect();
					const request = {
						...samples.request,
						x_unheard_of: "a secret value",
					};
					accepted(translator.readRequest(accepted(readWire(request)), warn));
					expect(warnings).toEqual([
						expect.objectContaining({ kind: "dropped", field: "x_unheard_of" }),
					]);
					expect(JSON.stringify(warnings)).not.toContain("secret");
				},
			);

			itOfClients(
				"reads back what it wrote, all of it, without a warning",
				() => {
					fc.assert(
						fc.property(expressible.requests, (request) => {
							const { warnings, warn } = collect();
							const { body } = accepted(
								translator.writeRequest(
									request,
									{ ...change, model: request.model },
									warn,
								),
							);
							const again = accepted(
								readWire(body, request.stream, request.model),
							);
							expect(accepted(translator.readRequest(again, warn))).toEqual(
								request,
							);
							expect(warnings).toEqual([]);
						}),
						{ numRuns: runs },
					);
				},
			);

			itOfClients(
				"reads the tools and the form of the output alone as with all the rest",
				() => {
					fc.assert(
						fc.property(expressible.requests, (request) => {
							const { body } = accepted(
								translator.writeRequest(
									request,
									{ ...change, model: request.model },
									quiet,
								),
							);
							const wired = accepted(
								readWire(body, request.stream, request.model),
							);
							const form = translator.readForm?.(wired);
							expect(form?.ok && form.value.output).toEqual(request.output);
							expect(form?.ok && (form.value.tools ?? []).map(kindOf)).toEqual(
								(request.tools ?? []).map(kindOf),
							);
						}),
						{ numRuns: runs },
					);
				},
			);

			it("writes the vendor's name of the model and the limit that it is told", () => {
				const { body, path } = accepted(
					translator.writeRequest(
						requestOf(false),
						{ ...change, model: "vendor-model", outputLimit: 77 },
						quiet,
					),
				);
				expect(path).toMatch(/^\//);
				expect(path + JSON.stringify(body)).toContain("vendor-model");
				expect(JSON.stringify(body)).toContain(":77");
				if (vendorOnly) return;
				const again = accepted(readWire(body, false, "vendor-model"));
				expect(again.outputLimit).toBe(77);
			});

			itOfClients("takes a tool call without a result, or refuses it", () => {
				const wired = readWire(samples.unanswered);
				const outcome = wired.ok
					? translator.readRequest(wired.value, quiet)
					: wired;
				if (!outcome.ok) {
					expect(outcome.error.code).toMatch(codes);
					return;
				}
				const parts = outcome.value.messages.flatMap(
					(each): readonly { readonly type: string }[] => each.parts,
				);
				expect(parts.some(({ type }) => type === "tool-call")).toBe(true);
				expect(parts.some(({ type }) => type === "tool-result")).toBe(false);
				const out = translator.writeRequest(outcome.value, change, quiet);
				if (!out.ok) expect(out.error.code).toMatch(codes);
			});

			itOfClients(
				"refuses hostile ones by their field, and never throws",
				() => {
					fc.assert(
						fc.property(
							hostile(samples.request),
							fc.boolean(),
							(body, stream) => {
								const wired = readWire(body, stream);
								if (!wired.ok) return;
								const outcome = translator.readRequest(wired.value, quiet);
								if (!outcome.ok) {
									expect(outcome.error.code).toMatch(codes);
									expect(outcome.error.details?.field).toBeTypeOf("string");
									return;
								}
								const out = translator.writeRequest(
									outcome.value,
									change,
									quiet,
								);
								if (!out.ok) expect(out.error.code).toMatch(codes);
							},
						),
						{ numRuns: 4 * runs },
					);
				},
			);
		});

		describe("whole answers", () => {
			const cases: [string, unknown][] = Object.entries(answers);
			const readAnswer = (body: unknown) =>
				accepted(translator.readAnswer(body));

			it("are read: text, parallel tool calls, nothing", () => {
				expect(outline(readAnswer(answers.text))).toMatchObject([
					{ types: ["text"] },
				]);
				expect(partsOf(readAnswer(answers.text), "text")[0]).not.toBe("");
				const tools = readAnswer(answers.tools);
				expect(outline(tools)[0]?.finish).toBe("tool-calls");
				const calls = partsOf(tools, "tool-call");
				expect(calls).toHaveLength(2);
				for (const each of calls) expect(JSON.parse(each)).toBeTypeOf("object");
				expect(outline(readAnswer(answers.empty))).toMatchObject([
					{ types: [] },
				]);
			});

			it.each(cases)("%s: usage is what is paid", (_, body) => {
				expect(readAnswer(body).usage).toEqual(
					metered(encode(body), "application/json").usage,
				);
			});

			it("are read past members that nobody knows", () => {
				for (const [, body] of cases)
					expect(readAnswer(withUnknownMembers(body))).toEqual(
						readAnswer(body),
					);
			});

			itOfClients("come back as they were written", () => {
				fc.assert(
					fc.property(expressible.answers, (answer) => {
						const { warnings, warn } = collect();
						const body = translator.writeAnswer(
							answer,
							requestOf(false),
							naming,
							warn,
						);
						expect(readAnswer(JSON.parse(JSON.stringify(body)))).toEqual(
							answer,
						);
						expect(warnings).toEqual([]);
					}),
					{ numRuns: runs },
				);
			});

			it("of any shape are read or refused", () => {
				fc.assert(
					fc.property(
						fc.oneof(fc.jsonValue(), ...cases.map(([, body]) => hostile(body))),
						(body) => {
							const outcome = translator.readAnswer(body);
							if (!outcome.ok)
								expect(outcome.error.code).toBe("vendor/garbled");
							else expect(outcome.value.choices.length).toBeGreaterThan(0);
						},
					),
					{ numRuns: 3 * runs },
				);
			});

			itOfClients("of 10 MB pass", () => {
				const text = "long \u00e9 ".repeat(1_500_000);
				const answer: CanonicalAnswer = {
					choices: [
						{ parts: [{ type: "text", text }], finish: { reason: "stop" } },
					],
				};
				const body = translator.writeAnswer(
					answer,
					requestOf(false),
					naming,
					quiet,
				);
				expect(
					partsOf(readAnswer(JSON.parse(JSON.stringify(body))), "text")[0] ===
						text,
				).toBe(true);
			});
		});

		describe("streams", () => {
			const cases: [keyof typeof streams, Uint8Array][] = Object.entries(
				streams,
			) as [keyof typeof streams, Uint8Array][];
			const whole = cases.filter(([each]) => each !== "error");

			it.each(cases)("%s: tells each thing in its order", (each, bytes) => {
				const events = streamOf(bytes);
				checkOrder(events);
				expect(events.at(-1)?.type).toBe(each === "error" ? "error" : "end");
			});

			it("are read: text, parallel calls, reasoning before a call, nothing", () => {
				expect(outline(fold(streamOf(streams.text)))).toMatchObject([
					{ types: ["text"] },
				]);
				const tools = fold(streamOf(streams.tools));
				expect(outline(tools)[0]?.finish).toBe("tool-calls");
				const calls = partsOf(tools, "tool-call");
				expect(calls).toHaveLength(2);
				for (const each of calls) expect(JSON.parse(each)).toBeTypeOf("object");
				const types =
					outline(fold(streamOf(streams.reasoning)))[0]?.types ?? [];
				expect(types.indexOf("reasoning")).toBeGreaterThanOrEqual(0);
				expect(types.indexOf("tool-call")).toBeGreaterThan(
					types.indexOf("reasoning"),
				);
				expect(outline(fold(streamOf(streams.empty)))).toMatchObject([
					{ types: [] },
				]);
			});

			it("say the vendor's error in the middle, after what came before it", () => {
				const events = streamOf(streams.error);
				const last = events.at(-1);
				expect(last?.type === "error" && last.error.message).toBeTruthy();
				expect(events.some(({ type }) => type === "delta")).toBe(true);
			});

			it.each(whole)("%s: usage is what is paid", (_, bytes) => {
				const { usage, complete } = metered(
					bytes,
					samples.framing === "sse"
						? "text/event-stream"
						: "application/octet-stream",
				);
				expect(complete).toBe(true);
				expect(fold(streamOf(bytes)).usage).toEqual(usage);
			});

			it.each(cases)("%s: one byte per chunk, the same answer", (_, bytes) => {
				const events = streamOf(bytes, 1);
				checkOrder(events);
				expect(fold(events)).toEqual(fold(streamOf(bytes)));
			});

			it("forward a delta when it has come, not later", () => {
				const reader = translator.openReader(requestOf(true));
				let [first, deltas] = [-1, 0];
				for (let at = 0; at < streams.text.length; at++) {
					for (const each of reader.push(streams.text.subarray(at, at + 1))) {
						if (each.type !== "delta") continue;
						if (first < 0) first = at;
						deltas++;
					}
				}
				expect(deltas).toBeGreaterThan(1);
				expect(first).toBeLessThan(0.8 * streams.text.length);
			});

			it.each(whole)("%s: broken off anywhere, never an end", (_, bytes) => {
				const order = streamOf(bytes);
				for (let cut = 0; cut < bytes.length; cut += 7) {
					const reader = translator.openReader(requestOf(true));
					const events = [...reader.push(bytes.slice(0, cut)), ...reader.end()];
					checkOrder(events, false);
					if (events.at(-1)?.type === "end")
						expect(fold(events).choices).toEqual(fold(order).choices);
					expect(reader.end()).toEqual([]);
				}
				const reader = translator.openReader(requestOf(true));
				const early = bytes.slice(0, Math.floor(bytes.length * 0.4));
				const events = [...reader.push(early), ...reader.end()];
				expect(events.some(({ type }) => type === "end")).toBe(false);
			});

			if (samples.framing === "sse") {
				it.each(cases)(
					"%s: CRLF, CR and comment lines change nothing",
					(_, bytes) => {
						const text = Buffer.from(bytes).toString();
						const expected = fold(streamOf(bytes));
						for (const other of [
							text.replaceAll("\n", "\r\n"),
							text.replaceAll("\n", "\r"),
							text.replaceAll("\n\n", "\n\n: ping\n\n"),
							`: hello\n${text.replaceAll("\ndata:", "\n: within\ndata:")}`,
						])
							for (const size of [other.length, 3])
								expect(fold(streamOf(Buffer.from(other), size))).toEqual(
									expected,
								);
					},
				);

				it.each(cases)(
					"%s: members that nobody knows change nothing",
					(_, bytes) => {
						const other = Buffer.from(bytes)
							.toString()
							.replaceAll(
								/^(data: ?\{)(?=")/gm,
								'$1"x_unheard_of":[{"type":"text","text":"no"}],',
							);
						expect(other.length).toBeGreaterThan(bytes.length);
						expect(fold(streamOf(Buffer.from(other)))).toEqual(
							fold(streamOf(bytes)),
						);
					},
				);
			}

			it("pass by events that nobody knows", () => {
				const frames =
					samples.framesOf?.(streams.text) ??
					Buffer.from(streams.text)
						.toString("latin1")
						.split(/(?<=\n\n)/);
				const expected = fold(streamOf(streams.text));
				for (const unknown of samples.unknownEvents) {
					const text = samples.framesOf
						? unknown
						: Buffer.from(unknown).toString("latin1");
					for (let at = 1; at < frames.length; at++) {
						const bytes = Buffer.from(
							[...frames.slice(0, at), text, ...frames.slice(at)].join(""),
							"latin1",
						);
						const events = streamOf(bytes);
						checkOrder(events);
						expect(fold(events)).toEqual(expected);
					}
				}
			});

			it("of any bytes never throw", () => {
				fc.assert(
					fc.property(
						fc.oneof(
							fc.uint8Array({ maxLength: 300 }),
							...cases.map(([, bytes]) => mutated(bytes)),
						),
						fc.integer({ min: 1, max: 60 }),
						(bytes, size) => {
							const events = streamOf(bytes, size);
							checkOrder(events, false);
							if (vendorOnly) return;
							// What a broken vendor makes us read, a client can be told.
							const said = written(
								events.filter(({ type }) => type !== "error"),
								3,
							);
							expect(said).toBeInstanceOf(Buffer);
						},
					),
					{ numRuns: 3 * runs },
				);
			});

			itOfClients(
				"come back as they were written, in pieces of any size",
				() => {
					const streamed = expressible.streamed ?? ((answer) => answer);
					fc.assert(
						fc.property(
							expressible.events,
							fc.integer({ min: 1, max: 9 }),
							fc.integer({ min: 1, max: 40 }),
							({ answer, events }, eventsAtOnce, bytesAtOnce) => {
								const bytes = written(events, eventsAtOnce);
								const again = streamOf(bytes, bytesAtOnce);
								checkOrder(again);
								expect(again.at(-1)?.type).toBe("end");
								expect(fold(again)).toEqual(streamed(answer));
							},
						),
						{ numRuns: runs },
					);
				},
			);

			itOfClients("are written as the events come", () => {
				const writer = translator.openWriter(
					requestOf(true),
					naming,
					wireRequest(true),
				);
				const text = { type: "text", text: "" } as const;
				writer.push([
					{ type: "start", id: "a", model: "m" },
					{ type: "open", choice: 0, part: 0, value: text },
				]);
				for (const each of ["first", "second"]) {
					const bytes = writer.push([
						{ type: "delta", choice: 0, part: 0, text: each },
					]);
					expect(Buffer.from(bytes ?? []).toString()).toContain(each);
				}
			});

			it("end in nothing more after an abort", () => {
				const reader = translator.openReader(requestOf(true));
				reader.push(streams.text.slice(0, Math.floor(streams.text.length / 2)));
				reader.end();
				expect(reader.end()).toEqual([]);
				expect(reader.push(streams.text)).toEqual([]);
				if (vendorOnly) return;
				const writer = translator.openWriter(
					requestOf(true),
					naming,
					wireRequest(true),
				);
				writer.push([
					{ type: "start" },
					{ type: "error", error: { message: "gone" } },
				]);
				expect(writer.end()).toBeUndefined();
			});

			itOfClients("of 10 MB pass, chunk by chunk", () => {
				const piece = "long \u00e9 \u{1F989} ".repeat(2_000);
				const count = 400;
				const value = { type: "text", text: "" } as const;
				const head: AnswerEvent[] = [
					{ type: "start", id: "a", model: "m" },
					{ type: "open", choice: 0, part: 0, value },
				];
				const delta: AnswerEvent = {
					type: "delta",
					choice: 0,
					part: 0,
					text: piece,
				};
				const finish: Finish = { reason: "stop" };
				const bytes = written(
					[
						...head,
						...Array<AnswerEvent>(count).fill(delta),
						{ type: "close", choice: 0, part: 0 },
						{ type: "finish", choice: 0, finish },
						{ type: "end" },
					],
					10,
				);
				const [text = ""] = partsOf(fold(streamOf(bytes, 65_536)), "text");
				expect(text.length).toBe(count * piece.length);
				expect(text === piece.repeat(count)).toBe(true);
			});
		});

		describe("errors", () => {
			it.each(samples.errors)(
				"$status: $message",
				({ status, body, message, code }) => {
					expect(translator.readError(status, encode(body))).toEqual(
						code === undefined ? { message } : { message, code },
					);
				},
			);

			it("of any bytes say something", () => {
				fc.assert(
					fc.property(
						fc.oneof(
							fc.uint8Array(),
							fc.jsonValue().map(encode),
							...samples.errors.map(({ body }) => hostile(body).map(encode)),
						),
						(bytes) => {
							const { message, code } = translator.readError(500, bytes);
							expect(message.length).toBeGreaterThan(0);
							expect(message.length).toBeLessThanOrEqual(2_000);
							expect(["string", "undefined"]).toContain(typeof code);
						},
					),
				);
			});
		});
	});
}

/** A request in the place of one that a client would have sent. */
function unread(operation: string, stream: boolean): WireRequest {
	return {
		operation,
		body: encode({}),
		model: "asked-model",
		stream,
		outputLimit: undefined,
		choices: 1,
		inputBytes: 2,
		mediaParts: 0,
		serverTools: [],
		opaque: undefined,
	};
}

const codes = /^(request\/invalid|translate\/unsupported)$/;

function quiet(): void {}

/** What of a tool its calls can be held against. */
function kindOf(tool: Tool): unknown {
	return tool.type === "function" ? [tool.name, tool.schema] : tool.type;
}

function collect(): { warnings: Warning[]; warn: (each: Warning) => void } {
	const warnings: Warning[] = [];
	return { warnings, warn: (each) => warnings.push(each) };
}

function accepted<T>(
	outcome: { ok: true; value: T } | { ok: false; error: { message: string } },
): T {
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}

function encode(body: unknown): Buffer {
	return Buffer.from(JSON.stringify(body) ?? "");
}

/** By choice: the types of its parts in order, and why it finished. */
function outline(answer: CanonicalAnswer) {
	return answer.choices.map(({ parts, finish }) => ({
		types: parts.map(({ type }) => type),
		finish: finish.reason,
	}));
}

/** The texts or arguments of parts of a type. */
function partsOf(
	answer: CanonicalAnswer,
	type: "text" | "tool-call",
): string[] {
	return answer.choices.flatMap(({ parts }) =>
		parts.flatMap((part) => {
			if (part.type !== type) return [];
			return [part.type === "tool-call" ? part.arguments : part.text];
		}),
	);
}

/** Events as the answer they tell, in the plainest way. Choices without a finish have the reason `error`. */
function fold(events: readonly AnswerEvent[]): CanonicalAnswer {
	let head: Partial<CanonicalAnswer> = {};
	const choices: {
		// biome-ignore lint/suspicious/noExplicitAny: parts of every type are filled by the same few members
		parts: any[];
		finish: Finish;
		logprobs?: unknown[];
	}[] = [];
	const at = (choice: number) => {
		const found = choices[choice] ?? { parts: [], finish: { reason: "error" } };
		choices[choice] = found;
		return found;
	};
	for (const event of events) {
		if (event.type === "start") {
			const { type: _, ...rest } = event;
			head = { ...head, ...rest };
		} else if (event.type === "usage") head = { ...head, usage: event.usage };
		else if (event.type === "logprobs") {
			const choice = at(event.choice);
			choice.logprobs = [...(choice.logprobs ?? []), ...event.tokens];
		} else if (event.type === "finish") at(event.choice).finish = event.finish;
		else if (event.type === "open")
			at(event.choice).parts[event.part] = { ...event.value };
		else if ("part" in event) {
			const { parts } = at(event.choice);
			const part = parts[event.part];
			if (event.type === "opaque") part.opaque = event.opaque;
			else if (event.type === "citation")
				part.citations = [...(part.citations ?? []), event.citation];
			else if (event.type === "close") parts[event.part] = event.value ?? part;
			else if (part.type === "tool-call") part.arguments += event.text;
			else part.text += event.text;
		}
	}
	return { ...head, choices: choices as unknown as CanonicalAnswer["choices"] };
}

/** Start first and once; parts numbered as they open, filled while open, closed once; one finish a choice, after its parts; nothing after an end. */
function checkOrder(events: readonly AnswerEvent[], toTheEnd = true): void {
	const open = new Set<string>();
	const next = new Map<number, number>();
	const finished = new Set<number>();
	for (const [index, event] of events.entries()) {
		expect(event.type === "start").toBe(index === 0 && event.type !== "error");
		if (event.type === "end" || event.type === "error")
			expect(index).toBe(events.length - 1);
		if ("choice" in event && event.type !== "logprobs")
			expect(finished.has(event.choice)).toBe(false);
		if ("part" in event) {
			const key = `${event.choice}.${event.part}`;
			if (event.type === "open") {
				expect(event.part).toBe(next.get(event.choice) ?? 0);
				next.set(event.choice, event.part + 1);
				open.add(key);
			} else expect(open.has(key)).toBe(true);
			if (event.type === "close") open.delete(key);
		}
		if (event.type === "finish") {
			finished.add(event.choice);
			for (const key of open)
				expect(key.startsWith(`${event.choice}.`)).toBe(false);
		}
	}
	if (toTheEnd && events.at(-1)?.type === "end") {
		expect(open.size).toBe(0);
		for (const choice of next.keys()) expect(finished.has(choice)).toBe(true);
	}
}

/** The value with a member more in each of its objects that says its type or holds lists. */
function withUnknownMembers(value: unknown): unknown {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		return value;
	return { ...value, x_unheard_of: { type: "text", text: "no", usage: null } };
}

const nasty: fc.Arbitrary<unknown> = fc.oneof(
	fc.constantFrom<unknown>(
		null,
		true,
		0,
		-1,
		1.5,
		1e308,
		"",
		"\ud800",
		"text",
		[],
		{},
		[null],
		[[]],
		{ type: "text" },
		{ type: "__proto__", constructor: null },
		"data:image/png;base64,",
		"data:",
		"{",
	),
	fc.jsonValue({ maxDepth: 2 }),
);

/** A JSON value with some of what is within replaced, taken out or doubled. */
function hostile(value: unknown): fc.Arbitrary<unknown> {
	return fc
		.array(fc.tuple(fc.nat(), fc.nat({ max: 3 }), nasty), {
			minLength: 1,
			maxLength: 4,
		})
		.map((changes) => {
			let result: unknown = structuredClone(value);
			for (const [where, how, each] of changes) {
				// One value may come twice: within itself it would have no end.
				const other = structuredClone(each);
				const places: [object, string][] = [];
				visit(result, places);
				const place = places[where % Math.max(1, places.length)];
				if (!place) result = other;
				else {
					const [holder, key] = place as [Record<string, unknown>, string];
					if (how === 0) delete holder[key];
					else if (how === 1) holder[key] = [holder[key], other];
					else holder[key] = other;
				}
			}
			return result;
		});
}

function visit(value: unknown, places: [object, string][]): void {
	if (typeof value !== "object" || value === null) return;
	for (const key of Object.keys(value)) {
		places.push([value, key]);
		visit((value as Record<string, unknown>)[key], places);
	}
}

/** The bytes with a few of them changed, left out or cut off. */
function mutated(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
	return fc
		.tuple(
			fc.array(
				fc.tuple(
					fc.nat({ max: bytes.length - 1 }),
					fc.constantFrom(...'{}[]",:\\\n\r 0-.eu\u00fft'),
				),
				{ maxLength: 5 },
			),
			fc.nat({ max: bytes.length }),
			fc.nat({ max: 20 }),
		)
		.map(([changes, hole, width]) => {
			const copy = Buffer.from(bytes);
			for (const [at, character] of changes) copy[at] = character.charCodeAt(0);
			return Buffer.concat([
				copy.subarray(0, hole),
				copy.subarray(hole + width),
			]);
		});
}
