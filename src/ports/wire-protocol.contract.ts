import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
	Forwarded,
	Metered,
	WireProtocol,
	WireRequest,
} from "./wire-protocol.ts";

/** What a protocol's suite is run with. */
export interface WireSamples {
	/** By operation: the members of a minimal request, `model` among them as "asked-model". */
	readonly requests: Readonly<
		Record<string, Readonly<Record<string, unknown>>>
	>;
	/** The operation that can stream, and the member that limits its output. */
	readonly streaming: { readonly operation: string; readonly limit: string };
	/** A whole stream that asks for nothing, with its end and usage. */
	readonly stream: Uint8Array;
	/** A whole plain answer of the streaming operation. */
	readonly plain: Uint8Array;
}

const change = { model: "sent-model", outputLimit: undefined, quirks: {} };

/** What every wire protocol promises, whatever it speaks. */
export function wireProtocolContract(
	name: string,
	make: () => { protocol: WireProtocol; samples: WireSamples },
): void {
	describe(`wire protocol: ${name}`, () => {
		const { protocol, samples } = make();
		const operations = Object.keys(samples.requests);
		const { operation, limit } = samples.streaming;
		const minimal = (id: string) => samples.requests[id] ?? {};

		function read(id: string, body: Uint8Array | object | string): WireRequest {
			const outcome = protocol.read(id, encode(body));
			if (!outcome.ok) throw new Error(outcome.error.message);
			return outcome.value;
		}
		function codeOf(id: string, body: Uint8Array | object | string): string {
			const outcome = protocol.read(id, encode(body));
			return outcome.ok ? "accepted" : outcome.error.code;
		}
		function fieldOf(body: object): unknown {
			const outcome = protocol.read(operation, encode(body));
			return outcome.ok ? undefined : outcome.error.details?.field;
		}
		function asks(stream: boolean): {
			request: WireRequest;
			forwarded: Forwarded;
		} {
			const request = read(operation, { ...minimal(operation), stream });
			return { request, forwarded: { body: request.body, usageAsked: false } };
		}
		function watch(
			contentType: string,
			chunks: readonly Uint8Array[],
		): { passed: Buffer; metered: Metered } {
			const { request, forwarded } = asks(contentType.includes("event-stream"));
			const meter = protocol.meter(request, forwarded, 200, contentType);
			const passed: Uint8Array[] = [];
			for (const chunk of chunks) {
				const part = meter.pass(chunk);
				if (part) passed.push(part);
			}
			const metered = meter.finish();
			if (metered.rest) passed.push(metered.rest);
			return { passed: Buffer.concat(passed), metered };
		}

		it("says where each operation is called, and passes on no header that names a person or a key", () => {
			expect(protocol.operations.map(({ id }) => id).sort()).toEqual(
				[...operations].sort(),
			);
			for (const each of protocol.operations) {
				expect(each.path).toMatch(/^\/v1\/[a-z/]+$/);
				expect(each.upstreamPath).toMatch(/^\/[a-z/]+$/);
				for (const header of each.passHeaders) {
					expect(header).toBe(header.toLowerCase());
					expect(header).not.toMatch(
						/auth|key|cookie|token|organi[sz]ation|project|user|host|length|encoding/,
					);
				}
			}
		});

		describe.each(operations)("%s", (id) => {
			it("reads a request", () => {
				const request = read(id, minimal(id));
				expect(request).toMatchObject({
					operation: id,
					model: "asked-model",
					stream: false,
					choices: 1,
				});
				expect(request.inputBytes).toBeGreaterThan(0);
				expect(request.mediaParts).toBe(0);
				expect(request.serverTools).toEqual([]);
			});

			it("refuses what is no JSON object, each in its own way", () => {
				const text = JSON.stringify(minimal(id));
				expect(codeOf(id, "")).toBe("request/malformed-json");
				expect(codeOf(id, text.slice(0, -1))).toBe("request/malformed-json");
				expect(codeOf(id, `${text}}`)).toBe("request/malformed-json");
				expect(codeOf(id, `${text.slice(0, -1)},}`)).toBe(
					"request/malformed-json",
				);
				expect(codeOf(id, `\ufeff${text}`)).toBe("request/malformed-json");
				for (const other of ["[]", '"text"', "7", "null", "true"])
					expect(codeOf(id, other)).toBe("request/invalid");
				expect(
					codeOf(
						id,
						Buffer.concat([
							Buffer.from(text.slice(0, -2)),
							Buffer.from([0xff, 0x22, 0x7d]),
						]),
					),
				).toBe("request/invalid-utf8");
			});

			it("refuses to nest deeper than 128 levels, however deep, without a stack overflow", () => {
				const nested = (levels: number) =>
					`{"metadata":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)},${JSON.stringify(minimal(id)).slice(1)}`;
				expect(codeOf(id, nested(128))).toBe("accepted");
				expect(codeOf(id, nested(129))).toBe("request/too-deep");
				expect(codeOf(id, "[".repeat(1_000_000))).toBe("request/too-deep");
				expect(codeOf(id, '{"a":'.repeat(1_000_000))).toBe("request/too-deep");
			});

			it("refuses a member that stands there twice, in any spelling", () => {
				const rest = JSON.stringify(minimal(id)).slice(1);
				expect(codeOf(id, `{"model":"another",${rest}`)).toBe(
					"request/duplicate-member",
				);
				expect(codeOf(id, `{"mo\\u0064el":"another",${rest}`)).toBe(
					"request/duplicate-member",
				);
				expect(codeOf(id, `{"Model":"another",${rest}`)).toBe(
					"request/invalid",
				);
				expect(codeOf(id, `{"\u017ftream":true,${rest}`)).toBe(
					"request/invalid",
				);
				// What we do not know is the vendor's to judge.
				expect(codeOf(id, `{"x":1,"x":2,${rest}`)).toBe("accepted");
			});

			it("knows a model under an escaped name, and renames it there", () => {
				const text = JSON.stringify(minimal(id)).replace(
					'"model"',
					'"mo\\u0064el"',
				);
				const request = read(id, text);
				expect(request.model).toBe("asked-model");
				expect(
					Buffer.from(protocol.forward(request, change).body).toString(),
				).toBe(text.replace("asked-model", "sent-model"));
			});

			it("refuses a model that is missing, empty or no string", () => {
				const { model, ...rest } = minimal(id);
				for (const bad of [
					undefined,
					null,
					"",
					"  ",
					7,
					["a"],
					{},
					"m".repeat(513),
				]) {
					expect(codeOf(id, { ...rest, model: bad })).toBe("request/invalid");
				}
				expect(model).toBe("asked-model");
			});

			it("changes the model's name and no other byte, whatever else the body holds", () => {
				fc.assert(
					fc.property(document(minimal(id), 'asked \\u006dodel"'), (text) => {
						const request = read(id, text);
						const sent = Buffer.from(
							protocol.forward(request, { ...change, model: 'vendor/"sent"' })
								.body,
						).toString();
						expect(sent).toBe(
							text.replace(
								JSON.stringify('asked \\u006dodel"'),
								JSON.stringify('vendor/"sent"'),
							),
						);
						const same = protocol.forward(request, {
							...change,
							model: request.model,
						}).body;
						expect(Buffer.from(same).equals(encode(text))).toBe(true);
					}),
					{ numRuns: 200 },
				);
			});

			it("never throws on bytes of any kind", () => {
				const body = encode(minimal(id));
				fc.assert(
					fc.property(
						fc.oneof(
							fc
								.uint8Array({ maxLength: 200 })
								.map((bytes) => Buffer.from(bytes)),
							mutated(body),
						),
						(bytes) => {
							const outcome = protocol.read(id, bytes);
							if (!outcome.ok) expect(outcome.error.code).toMatch(/^request\//);
							// We accept no more than any other reader of JSON does.
							else
								expect(JSON.parse(bytes.toString("utf8"))).toBeTypeOf("object");
						},
					),
					{ numRuns: 500 },
				);
			});
		});

		it("refuses limits that are no whole number, and a stream that is neither true nor false", () => {
			for (const bad of [-1, 1.5, "100", true, 1e300, {}]) {
				expect(fieldOf({ ...minimal(operation), [limit]: bad })).toBe(limit);
			}
			for (const bad of ["true", 1, {}])
				expect(fieldOf({ ...minimal(operation), stream: bad })).toBe("stream");
			for (const bad of [undefined, "hi", {}, 7])
				expect(fieldOf({ ...minimal(operation), messages: bad })).toBe(
					"messages",
				);
			expect(fieldOf({ ...minimal(operation), tools: {} })).toBe("tools");
		});

		it("sets the output limit in the client's place, and leaves every other byte", () => {
			fc.assert(
				fc.property(
					document(
						{ ...minimal(operation), [limit]: 918273645 },
						"asked-model",
					),
					(text) => {
						const request = read(operation, text);
						expect(request.outputLimit).toBe(918273645);
						const sent = protocol.forward(request, {
							...change,
							model: request.model,
							outputLimit: 77,
						});
						expect(Buffer.from(sent.body).toString()).toBe(
							text.replace("918273645", "77"),
						);
					},
				),
				{ numRuns: 100 },
			);
		});

		it("passes an answer it asked nothing of as it is, wherever the chunks split", () => {
			for (const [type, answer] of [
				["text/event-stream; charset=utf-8", samples.stream],
				["application/json", samples.plain],
			] as const) {
				const whole = watch(type, [answer]).metered;
				expect(whole.complete).toBe(true);
				expect(whole.usage).toBeDefined();
				expect(whole.finishReason).toBeTypeOf("string");
				const single = watch(
					type,
					[...answer].map((byte) => Uint8Array.of(byte)),
				);
				expect(single.metered).toEqual(whole);
				expect(single.passed.equals(answer)).toBe(true);
				fc.assert(
					fc.property(cuts(answer), (chunks) => {
						const { passed, metered } = watch(type, chunks);
						expect(passed.equals(answer)).toBe(true);
						expect(metered).toEqual(whole);
					}),
					{ numRuns: 60 },
				);
			}
		});

		it("counts what was delivered when an answer breaks off, and says that it is not whole", () => {
			let delivered = 0;
			for (let length = 0; length <= samples.stream.length; length += 7) {
				const { metered } = watch("text/event-stream", [
					samples.stream.subarray(0, length),
				]);
				// Usage is believed once the answer is known to have ended, and not before.
				if (metered.finishReason === undefined) {
					expect(metered.complete).toBe(false);
					expect(metered.usage).toBeUndefined();
					expect(metered.deliveredBytes).toBeGreaterThanOrEqual(delivered);
					delivered = metered.deliveredBytes;
				}
			}
			expect(delivered).toBeGreaterThan(4);
			const plain = watch("application/json", [
				samples.plain.subarray(0, samples.plain.length - 2),
			]).metered;
			expect(plain.complete).toBe(false);
			expect(plain.usage).toBeUndefined();
			expect(plain.deliveredBytes).toBeGreaterThan(0);
		});

		it("lives through answers of any bytes, and passes them", () => {
			fc.assert(
				fc.property(
					fc.oneof(
						fc
							.uint8Array({ maxLength: 400 })
							.map((bytes) => Buffer.from(bytes)),
						mutated(samples.stream),
						mutated(samples.plain),
					),
					fc.boolean(),
					fc.integer({ min: 1, max: 50 }),
					(bytes, streamed, size) => {
						const chunks: Buffer[] = [];
						for (let at = 0; at < bytes.length; at += size)
							chunks.push(bytes.subarray(at, at + size));
						const { passed, metered } = watch(
							streamed ? "text/event-stream" : "application/json",
							chunks,
						);
						expect(passed.equals(bytes)).toBe(true);
						expect(metered.deliveredBytes).toBeLessThanOrEqual(bytes.length);
					},
				),
				{ numRuns: 400 },
			);
		});

		it("a plain answer with anything behind its end is not whole", () => {
			const answer = Buffer.concat([samples.plain, Buffer.from("x")]);
			expect(watch("application/json", [answer]).metered).toMatchObject({
				complete: false,
				usage: undefined,
			});
		});

		it("an empty answer is not whole and counts nothing", () => {
			for (const type of ["text/event-stream", "application/json"]) {
				expect(watch(type, []).metered).toMatchObject({
					complete: false,
					usage: undefined,
					deliveredBytes: 0,
				});
			}
		});

		it("refuses in the shape that this protocol's clients read, with our code and the numbers behind it", () => {
			const refusal = {
				code: "credits/insufficient",
				message: "Needs 12, has 5.",
				details: {
					needed: 12,
					available: 5,
					topUp: "dos credits grant main 10",
				},
			};
			const { headers, body } = protocol.refusal(402, refusal);
			expect(headers["content-type"]).toBe("application/json");
			const { error } = JSON.parse(Buffer.from(body).toString());
			expect(error).toMatchObject({
				code: refusal.code,
				message: refusal.message,
				dos: refusal.details,
			});
			const frame = Buffer.from(protocol.streamRefusal(refusal)).toString();
			expect(frame.endsWith("\n\n")).toBe(true);
			expect(JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? "")).toMatchObject({
				error: { code: refusal.code },
			});
			// Whatever stood there unfinished, the refusal is an event of its own.
			expect(
				watch("text/event-stream", [
					Buffer.from(`data: {"half`),
					Buffer.from(frame),
				]).metered.vendorError,
			).toContain(refusal.message);
		});

		it("finds the client's key in either header, and none when two differ", () => {
			const keyOf = (headers: Record<string, string>) =>
				protocol.clientKey((each) => headers[each]);
			expect(keyOf({ authorization: "Bearer dos_sk_1" })).toBe("dos_sk_1");
			expect(keyOf({ authorization: "bearer   dos_sk_1 " })).toBe("dos_sk_1");
			expect(keyOf({ "x-api-key": " dos_sk_1" })).toBe("dos_sk_1");
			expect(
				keyOf({ authorization: "Bearer dos_sk_1", "x-api-key": "dos_sk_1" }),
			).toBe("dos_sk_1");
			expect(
				keyOf({ authorization: "Bearer dos_sk_1", "x-api-key": "dos_sk_2" }),
			).toBeUndefined();
			expect(
				keyOf({ authorization: "Basic dXNlcg==", "x-api-key": "dos_sk_1" }),
			).toBe("dos_sk_1");
			for (const bad of [
				"",
				"Bearer",
				"Bearer ",
				"Bearer a b",
				"Bearer a, Bearer b",
				`Bearer ${"k".repeat(513)}`,
				"Bearer \u00e9",
			]) {
				expect(keyOf({ authorization: bad })).toBeUndefined();
			}
			expect(keyOf({})).toBeUndefined();
		});

		it("lists models by their ids", () => {
			const list = [
				{ id: "vendor/one", owner: "vendor", contextWindow: 128_000 },
				{ id: "vendor/two", owner: "vendor" },
			];
			const { data } = JSON.parse(
				Buffer.from(protocol.models(list)).toString(),
			);
			expect(data.map(({ id }: { id: string }) => id)).toEqual([
				"vendor/one",
				"vendor/two",
			]);
			expect(
				JSON.parse(Buffer.from(protocol.models([])).toString()).data,
			).toEqual([]);
		});
	});
}

function encode(body: Uint8Array | object | string): Buffer {
	if (body instanceof Uint8Array) return Buffer.from(body);
	return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

/** The bytes, split at random. */
function cuts(bytes: Uint8Array): fc.Arbitrary<Uint8Array[]> {
	return fc
		.array(fc.nat({ max: bytes.length }), { maxLength: 30 })
		.map((places) => {
			const borders = [
				0,
				...places.sort((one, other) => one - other),
				bytes.length,
			];
			return borders
				.slice(1)
				.map((end, index) => bytes.subarray(borders[index], end));
		});
}

/** The bytes with a few of them changed. */
function mutated(bytes: Uint8Array): fc.Arbitrary<Buffer> {
	return fc
		.array(
			fc.tuple(
				fc.nat({ max: bytes.length - 1 }),
				fc.constantFrom(...'{}[]",:\\\n\r 0-.eu\u00fft'),
			),
			{ maxLength: 4 },
		)
		.map((changes) => {
			const copy = Buffer.from(bytes);
			for (const [at, character] of changes) copy[at] = character.charCodeAt(0);
			return copy;
		});
}

/** A request with these members among random others, in random order, white space and escapes. */
function document(
	members: Readonly<Record<string, unknown>>,
	model: string,
): fc.Arbitrary<string> {
	const space = fc.string({
		unit: fc.constantFrom(" ", "\n", "\t", "\r"),
		maxLength: 3,
	});
	const extra = fc.dictionary(
		fc.string({ unit: "grapheme", maxLength: 8 }).map((each) => `x${each}`),
		fc.jsonValue({ maxDepth: 3, stringUnit: "binary" }),
		{ maxKeys: 4 },
	);
	return fc
		.tuple(
			extra,
			fc.array(space, { minLength: 40, maxLength: 40 }),
			fc.integer(),
			fc.boolean(),
		)
		.map(([others, spaces, seed, escapes]) => {
			const entries = Object.entries({ ...others, ...members, model });
			entries.sort(
				([one], [other]) =>
					((one.length * 31 + seed) % 7) - ((other.length * 31 + seed) % 7),
			);
			let next = 0;
			const gap = () => spaces[next++ % spaces.length] ?? "";
			const written = entries.map(([name, value]) => {
				let json = JSON.stringify(value, null, seed % 2 ? 2 : 0);
				if (escapes && name.startsWith("x")) {
					json = json.replace(
						/[^\x20-\x7e\n]/g,
						(each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
					);
				}
				return `${gap()}${JSON.stringify(name)}${gap()}:${gap()}${json}${gap()}`;
			});
			return `${gap()}{${written.join(",")}}${gap()}`;
		});
}
