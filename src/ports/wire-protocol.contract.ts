import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Outcome } from "../kernel/outcome.ts";
import type {
	Forwarded,
	Metered,
	WireProtocol,
	WireRequest,
} from "./wire-protocol.ts";

/** What a protocol's suite is run with. */
export interface WireSamples {
	/** By operation: the members of a minimal request, `model` among them as "asked-model" unless it stands in the address; what matters most first. */
	readonly requests: Readonly<
		Record<string, Readonly<Record<string, unknown>>>
	>;
	/** Operations whose bodies are forms: each is proved beside its adapter. */
	readonly forms?: readonly string[];
	/** Where the model stands in the address: the operation that answers with a stream, which is another one then, and a query that all are asked with. */
	readonly address?: { readonly streams: string; readonly query: string };
	/** Our code, message and details in the body of a refusal, and the ids in a list of models, where they are not in `error` and `data`. */
	readonly refused?: (body: unknown) => unknown;
	readonly listed?: (body: unknown) => readonly string[];
	/** The operation that can stream, and the member that limits its output (with dots within others). */
	readonly streaming: {
		readonly operation: string;
		readonly limit: string;
		/** The member that holds the conversation, and values that it must not have. Absent: `messages`, a list. */
		readonly prompt?: readonly [name: string, ...bad: readonly unknown[]];
	};
	/** A whole stream that asks for nothing, with its end and usage. */
	readonly stream: Uint8Array;
	/** A whole plain answer of the streaming operation. */
	readonly plain: Uint8Array;
	/** No client speaks the protocol: what is asked here, and what concerns clients does not apply. */
	readonly vendorOnly?: WireRequest;
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
		const { address, vendorOnly } = samples;
		/** For promises about what clients send and get. */
		const itOfClients = it.skipIf(vendorOnly !== undefined);

		function outcomeOf(
			id: string,
			body: Uint8Array | object | string,
			model = "asked-model",
		): Outcome<WireRequest> {
			return protocol.read(
				id,
				encode(body),
				address && {
					parameters: { model },
					query: address.query,
					header: () => undefined,
				},
			);
		}
		function read(
			id: string,
			body: Uint8Array | object | string,
			model?: string,
		): WireRequest {
			const outcome = outcomeOf(id, body, model);
			if (!outcome.ok) throw new Error(outcome.error.message);
			return outcome.value;
		}
		/** A request of the streaming operation with this as its limit. */
		function withLimit(value: unknown): Record<string, unknown> {
			const [name = "", inner] = limit.split(".");
			const there = minimal(operation)[name];
			return {
				...minimal(operation),
				[name]: inner
					? { ...(there as object | undefined), [inner]: value }
					: value,
			};
		}
		function requestText(id: string, model: string): fc.Arbitrary<string> {
			return document(minimal(id), address ? undefined : model);
		}
		function codeOf(
			id: string,
			body: Uint8Array | object | string,
			model?: string,
		): string {
			const outcome = outcomeOf(id, body, model);
			return outcome.ok ? "accepted" : outcome.error.code;
		}
		function fieldOf(body: object): unknown {
			const outcome = outcomeOf(operation, body);
			return outcome.ok ? undefined : outcome.error.details?.field;
		}
		function asks(stream: boolean): {
			request: WireRequest;
			forwarded: Forwarded;
		} {
			const request = vendorOnly
				? vendorOnly
				: address
					? read(stream ? address.streams : operation, minimal(operation))
					: read(operation, { ...minimal(operation), stream });
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

		itOfClients(
			"says where each operation is called, and passes on no header that names a person or a key",
			() => {
				// One that is served under two addresses stands there twice.
				const ids = new Set(protocol.operations.map(({ id }) => id));
				expect([...ids].sort()).toEqual(
					[...operations, ...(samples.forms ?? [])].sort(),
				);
				for (const each of protocol.operations) {
					if (address) {
						expect(each.path ?? "/v1/{model}").toMatch(
							/^\/v1[a-z]*\/[a-z/]*\{model\}[a-zA-Z:/-]*$/,
						);
						expect(each.upstreamPath).toMatch(
							/^\/[a-z/]+\/\{model\}[a-zA-Z:/-]+$/,
						);
					} else {
						expect(each.path).toMatch(/^\/v1\/[a-z_/]+$/);
						expect(each.upstreamPath).toMatch(/^\/[a-z_/]+$/);
					}
					for (const header of each.passHeaders) {
						expect(header).toBe(header.toLowerCase());
						expect(header).not.toMatch(
							/auth|key|cookie|token|organi[sz]ation|project|user|host|length|encoding/,
						);
					}
				}
			},
		);

		describe.each(operations)("%s", (id) => {
			it("reads a request", () => {
				const request = read(id, minimal(id));
				expect(request).toMatchObject({
					operation: id,
					model: "asked-model",
					stream: address?.streams === id,
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
				const name = address ? (Object.keys(minimal(id))[0] ?? "") : "model";
				const escaped = `${name.slice(0, 2)}\\u00${name.charCodeAt(2).toString(16)}${name.slice(3)}`;
				const capital = name.slice(0, 1).toUpperCase() + name.slice(1);
				expect(codeOf(id, `{"${name}":"another",${rest}`)).toBe(
					"request/duplicate-member",
				);
				expect(codeOf(id, `{"${escaped}":"another",${rest}`)).toBe(
					"request/duplicate-member",
				);
				expect(codeOf(id, `{"${capital}":"another",${rest}`)).toBe(
					"request/invalid",
				);
				if (!address)
					expect(codeOf(id, `{"\u017ftream":true,${rest}`)).toBe(
						"request/invalid",
					);
				// What we do not know is the vendor's to judge.
				expect(codeOf(id, `{"x":1,"x":2,${rest}`)).toBe("accepted");
			});

			it.skipIf(address)(
				"knows a model under an escaped name, and renames it there",
				() => {
					const text = JSON.stringify(minimal(id)).replace(
						'"model"',
						'"mo\\u0064el"',
					);
					const request = read(id, text);
					expect(request.model).toBe("asked-model");
					expect(
						Buffer.from(protocol.forward(request, change).body).toString(),
					).toBe(text.replace("asked-model", "sent-model"));
				},
			);

			it("refuses a model that is missing, empty or no string", () => {
				if (address) {
					for (const bad of ["", "  ", "m".repeat(513)])
						expect(codeOf(id, minimal(id), bad)).toBe("request/invalid");
					const nowhere = protocol.read(id, encode(minimal(id)));
					expect(nowhere).toMatchObject({
						error: { code: "request/invalid", details: { field: "model" } },
					});
					return;
				}
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
					fc.property(requestText(id, 'asked \\u006dodel"'), (text) => {
						const request = read(id, text);
						const forwarded = protocol.forward(request, {
							...change,
							model: 'vendor/"sent"',
						});
						const sent = Buffer.from(forwarded.body).toString();
						if (address) expect(forwarded.path).toContain("vendor/%22sent%22");
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

			it("takes what is for us out of the body, wherever it stands, and leaves every other byte", () => {
				fc.assert(
					fc.property(
						documentWithDos(minimal(id), address ? undefined : "asked-model"),
						({ text, without, dos }) => {
							const request = read(id, text);
							expect(request.dos).toEqual(dos);
							expect(Buffer.from(request.body).toString()).toBe(without);
							for (const model of [request.model, "sent-model"]) {
								const [sent, plain] = [request, read(id, without)].map(
									(each) => protocol.forward(each, { ...change, model }).body,
								) as [Uint8Array, Uint8Array];
								expect(Buffer.from(sent).toString()).toBe(
									Buffer.from(plain).toString(),
								);
							}
							const { dos: _, opaque: _1, ...rest } = request;
							const { dos: _2, opaque: _3, ...restWithout } = read(id, without);
							expect(rest).toEqual(restWithout);
							expect(protocol.traits(request)).toEqual(
								protocol.traits(read(id, without)),
							);
						},
					),
					{ numRuns: 100 },
				);
			});

			it("knows one value for us, in one spelling", () => {
				const rest = JSON.stringify(minimal(id)).slice(1);
				expect(read(id, `{${rest}`).dos).toBeUndefined();
				expect(read(id, `{"dos":null,${rest}`).dos).toBeUndefined();
				expect(read(id, `{"d\\u006fs":[7],${rest}`).dos).toEqual([7]);
				for (const [twice, code] of [
					[`{"dos":1,"dos":2,${rest}`, "request/duplicate-member"],
					[`{"dos":1,"\\u0064os":2,${rest}`, "request/duplicate-member"],
					[`{"DOS":1,${rest}`, "request/invalid"],
					[`{"do\u017f":1,${rest}`, "request/invalid"],
				] as const)
					expect(outcomeOf(id, twice)).toMatchObject({
						error: { code, details: { field: "dos" } },
					});
				// Only the body's own: what stands deeper is the vendor's.
				const inner = `{"metadata":{"dos":1,"dos":2},${rest}`;
				expect(
					Buffer.from(
						protocol.forward(read(id, inner), {
							...change,
							model: "asked-model",
						}).body,
					).toString(),
				).toBe(inner);
			});

			it("tells the shape of whatever it reads, without ever throwing", () => {
				fc.assert(
					fc.property(hostile(minimal(id)), (body) => {
						const outcome = outcomeOf(id, body);
						if (!outcome.ok) return;
						const traits = protocol.traits(outcome.value);
						expect(traits).toMatchObject({
							means: protocol.operations.find((each) => each.id === id)?.means,
							inputBytes: outcome.value.inputBytes,
							stream: outcome.value.stream,
							last: expect.stringMatching(/^(?:user|assistant|tool|system)$/),
							reasoning: expect.stringMatching(/^(?:none|some|much)$/),
							schema: expect.any(Boolean),
							logprobs: expect.any(Boolean),
						});
						for (const count of [
							traits.messages,
							traits.step,
							traits.tools,
							traits.images,
							traits.documents,
							traits.audio,
						]) {
							expect(Number.isSafeInteger(count)).toBe(true);
							expect(count).toBeGreaterThanOrEqual(0);
						}
						expect(traits.step).toBeLessThanOrEqual(traits.messages);
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

		itOfClients(
			"refuses limits that are no whole number, and a stream that is neither true nor false",
			() => {
				for (const bad of [-1, 1.5, "100", true, 1e300, {}]) {
					expect(fieldOf(withLimit(bad))).toBe(limit);
				}
				for (const bad of address ? [] : ["true", 1, {}])
					expect(fieldOf({ ...minimal(operation), stream: bad })).toBe(
						"stream",
					);
				const [prompt, ...bad] = samples.streaming.prompt ?? [
					"messages",
					...[undefined, "hi", {}, 7],
				];
				for (const value of bad)
					expect(fieldOf({ ...minimal(operation), [prompt]: value })).toBe(
						prompt,
					);
				expect(fieldOf({ ...minimal(operation), tools: {} })).toBe("tools");
			},
		);

		itOfClients(
			"sets the output limit in the client's place, and leaves every other byte",
			() => {
				fc.assert(
					fc.property(
						document(withLimit(918273645), address ? undefined : "asked-model"),
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
			},
		);

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
					// Escapes in a string that has no end yet count as they are written.
					expect(metered.deliveredBytes).toBeGreaterThanOrEqual(delivered - 8);
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

		itOfClients(
			"refuses in the shape that this protocol's clients read, with our code and the numbers behind it",
			() => {
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
				const refused =
					samples.refused ?? ((parsed) => (parsed as { error: unknown }).error);
				expect(refused(JSON.parse(Buffer.from(body).toString()))).toMatchObject(
					{
						code: refusal.code,
						message: refusal.message,
						dos: refusal.details,
					},
				);
				const frame = Buffer.from(protocol.streamRefusal(refusal)).toString();
				expect(frame.endsWith("\n\n")).toBe(true);
				const event = JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? "");
				expect(refused(event)).toMatchObject({ code: refusal.code });
				// Whatever stood there unfinished, the refusal is an event of its own.
				expect(
					watch("text/event-stream", [
						Buffer.from(`data: {"half`),
						Buffer.from(frame),
					]).metered.vendorError,
				).toContain(refusal.message);
			},
		);

		itOfClients(
			"finds the client's key in either header, and none when two differ",
			() => {
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
			},
		);

		itOfClients("lists models by their ids", () => {
			const list = [
				{ id: "vendor/one", owner: "vendor", contextWindow: 128_000 },
				{ id: "vendor/two", owner: "vendor" },
			];
			const listed =
				samples.listed ??
				((parsed) =>
					(parsed as { data: { id: string }[] }).data.map(({ id }) => id));
			const idsOf = (bytes: Uint8Array) =>
				listed(JSON.parse(Buffer.from(bytes).toString()));
			expect(idsOf(protocol.models(list))).toEqual([
				"vendor/one",
				"vendor/two",
			]);
			expect(idsOf(protocol.models([]))).toEqual([]);
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
	model: string | undefined,
): fc.Arbitrary<string> {
	return pieces(members, model).map(
		({ begin, written, end }) =>
			begin + written.map((each) => each.join("")).join(",") + end,
	);
}

/** Its members, each with the white space around it. */
function pieces(
	members: Readonly<Record<string, unknown>>,
	model: string | undefined,
): fc.Arbitrary<{
	readonly begin: string;
	readonly written: readonly (readonly [string, string, string])[];
	readonly end: string;
}> {
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
			const named = model === undefined ? {} : { model };
			const entries = Object.entries({ ...others, ...members, ...named });
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
				return [
					gap(),
					`${JSON.stringify(name)}${gap()}:${gap()}${json}`,
					gap(),
				] as const;
			});
			return { begin: `${gap()}{`, written, end: `}${gap()}` };
		});
}

/** The same with something for us at any place, and without it. */
function documentWithDos(
	members: Readonly<Record<string, unknown>>,
	model: string | undefined,
): fc.Arbitrary<{
	readonly text: string;
	readonly without: string;
	readonly dos: unknown;
}> {
	return fc
		.tuple(
			pieces(members, model),
			fc.nat(),
			fc
				.jsonValue({ maxDepth: 3, stringUnit: "binary" })
				.filter((value) => value !== null)
				.map((value) => JSON.stringify(value)),
			fc.constantFrom("", " ", "\n\t"),
		)
		.map(([{ begin, written, end }, number, dos, gap]) => {
			const own = `"dos"${gap}:${gap}${dos}`;
			const place = number % (written.length + 1);
			const list = written.map(([before, each, after], index) => {
				if (index === place)
					return `${before}${own}${gap},${gap}${each}${after}`;
				return index === written.length - 1 && place === written.length
					? `${before}${each}${gap},${gap}${own}${after}`
					: `${before}${each}${after}`;
			});
			return {
				text: begin + list.join(",") + end,
				without: begin + written.map((each) => each.join("")).join(",") + end,
				dos: JSON.parse(dos),
			};
		});
}

/** A body in which members that say what is wanted have any value at all. */
function hostile(
	members: Readonly<Record<string, unknown>>,
): fc.Arbitrary<object> {
	const word = fc.constantFrom(
		"user",
		"assistant",
		"tool",
		"tool_result",
		"function",
		"namespace",
		"json_schema",
		"enabled",
		"image",
		"high",
	);
	const { value } = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
		leaf: fc.oneof(
			word,
			fc.string({ maxLength: 4 }),
			fc.constantFrom(null, true, 0, -1, 1e308, 2 ** 53, 64_000),
		),
		value: fc.oneof(
			{ maxDepth: 6, depthSize: "medium" },
			tie("leaf"),
			fc.array(tie("value"), { maxLength: 4 }),
			fc.dictionary(
				fc.constantFrom(
					"type",
					"role",
					"content",
					"parts",
					"format",
					"effort",
					"functionResponse",
					"functionDeclarations",
					"tools",
					"source",
					"__proto__",
				),
				tie("value"),
				{ maxKeys: 4 },
			),
		),
	}));
	const names = [
		...Object.keys(members),
		...["messages", "input", "contents", "tools", "functions", "text"],
		...["reasoning", "reasoning_effort", "thinking", "output_config"],
		...["response_format", "logprobs", "top_logprobs", "include"],
		...["generationConfig", "systemInstruction", "web_search_options"],
	].filter((name) => name !== "model");
	return fc
		.uniqueArray(fc.tuple(fc.constantFrom(...names), value), {
			selector: ([name]) => name,
			maxLength: 3,
		})
		.map((changes) => ({ ...members, ...Object.fromEntries(changes) }));
}
