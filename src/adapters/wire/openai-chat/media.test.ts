import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Metered, WireRequest } from "../../../ports/wire-protocol.ts";
import { openaiChat } from "./protocol.ts";

function asked(operation: string, body: object): WireRequest {
	const read = openaiChat.read(operation, Buffer.from(JSON.stringify(body)));
	if (!read.ok) throw new Error(read.error.message);
	return read.value;
}

function refused(operation: string, body: object): unknown {
	const read = openaiChat.read(operation, Buffer.from(JSON.stringify(body)));
	return read.ok ? undefined : read.error.details?.field;
}

type Fields = Readonly<Record<string, string | Buffer>>;

/** A form as clients write it: a buffer is a file. */
function formOf(fields: Fields): Buffer {
	return Buffer.concat([
		...Object.entries(fields).map(([name, value]) =>
			Buffer.concat([
				Buffer.from(
					`--B0\r\nContent-Disposition: form-data; name="${name}"${typeof value === "string" ? "" : '; filename="f"\r\nContent-Type: application/octet-stream'}\r\n\r\n`,
				),
				Buffer.from(value as string),
				Buffer.from("\r\n"),
			]),
		),
		Buffer.from("--B0--\r\n"),
	]);
}

const target = {
	parameters: {},
	query: "",
	header: (name: string) =>
		name === "content-type" ? "multipart/form-data; boundary=B0" : undefined,
};

function sent(operation: string, fields: Fields) {
	return openaiChat.read(operation, formOf(fields), target);
}

function readForm(operation: string, fields: Fields): WireRequest {
	const read = sent(operation, fields);
	if (!read.ok) throw new Error(read.error.message);
	return read.value;
}

function meter(
	request: WireRequest,
	contentType: string,
	chunks: readonly Uint8Array[],
): Metered {
	const watching = openaiChat.meter(
		request,
		{ body: request.body, usageAsked: false },
		200,
		contentType,
	);
	const passed = chunks.map((chunk) => watching.pass(chunk) ?? Buffer.alloc(0));
	const metered = watching.finish();
	expect(Buffer.concat(passed).equals(Buffer.concat(chunks))).toBe(true);
	return metered;
}

const bytes = (text: string) => Buffer.from(text);
const painting = { model: "m", prompt: "A cat" };
const speaking = { model: "m", input: "Hello" };

describe("an order of images", () => {
	it("counts images, size, quality, drafts and frames", () => {
		const made = (more: object) => {
			const { order } = asked("image-generations", { ...painting, ...more });
			return [order?.most.pieces.image, order?.most.tokens["output-image"]];
		};
		expect(made({})).toEqual([1, 8_192]);
		expect(made({ n: 3 })).toEqual([3, 3 * 8_192]);
		expect(made({ quality: "low" })).toEqual([1, 1_024]);
		expect(made({ quality: "max", size: "1024x1024" })).toEqual([1, 32_768]);
		expect(made({ size: "3840x2160" })).toEqual([1, 33_178]);
		expect(made({ size: "4K" })).toEqual([1, 33_178]);
		expect(made({ partial_images: 2 })).toEqual([1, 8_592]);
		expect(made({ frame_count: 4 })).toEqual([1, 4 * 8_192]);
	});

	it.each([
		["prompt", { prompt: undefined }],
		["prompt", { prompt: ["A cat"] }],
		["n", { n: 0 }],
		["n", { n: "2" }],
		["stream", { stream: "yes" }],
		["batch_size", { batch_size: 4 }],
		["num_images", { num_images: 4 }],
		["svg", { svg: { model: "another" } }],
		["output_format", { output_format: "svg" }],
	])("refuses %s where it could not be metered", (field, more) => {
		expect(refused("image-generations", { ...painting, ...more })).toBe(field);
	});

	it("is read from a form as from JSON", () => {
		const image = Buffer.from([0x89, 0x50, 0x0d, 0x0a, 0x2d, 0x2d]);
		const request = readForm("image-edits", {
			model: "m",
			prompt: "A hat",
			n: "2",
			size: "1024x1024",
			stream: "true",
			image,
			mask: image,
		});
		expect(request).toMatchObject({
			model: "m",
			stream: true,
			choices: 2,
			mediaParts: 2,
		});
		expect(request.order?.most).toMatchObject({
			pieces: { image: 2 },
			tokens: { "input-image": 16_000, "output-image": 16_384 },
		});
		for (const [field, bad] of [
			["n", { n: "0" }],
			["n", { n: "1e3" }],
			["svg", { svg: "{}" }],
			["model", { model: "" }],
			["model", { model: "a\r\nb" }],
		] as const)
			expect(sent("image-edits", { model: "m", image, ...bad })).toMatchObject({
				error: { details: { field } },
			});
		expect(sent("image-edits", { model: "m" })).toMatchObject({
			error: { details: { field: "image" } },
		});
	});

	it("changes in a form the model's name and no other byte", () => {
		fc.assert(
			fc.property(
				fc.uint8Array({ maxLength: 40_000, size: "max" }),
				fc.boolean(),
				(content, first) => {
					const file = { file: Buffer.from(content) };
					const fields = (model: string): Fields =>
						first ? { model, ...file } : { ...file, model };
					const read = sent("transcriptions", fields("asked"));
					if (!read.ok) return;
					const forwarded = openaiChat.forward(read.value, {
						model: "vendor/sent",
						outputLimit: undefined,
						quirks: {},
					});
					const expected = formOf(fields("vendor/sent"));
					expect(Buffer.from(forwarded.body).equals(expected)).toBe(true);
					if (forwarded.pieces)
						expect(Buffer.concat(forwarded.pieces).equals(expected)).toBe(true);
					expect(forwarded.headers).toEqual({
						"content-type": "multipart/form-data; boundary=B0",
					});
				},
			),
			{ numRuns: 60 },
		);
	});

	it("counts the images that an answer carries, and no others", () => {
		const request = asked("image-generations", { ...painting, n: 3 });
		const counted = (body: string) =>
			meter(request, "application/json", [bytes(body)]).counted;
		expect(
			counted(
				'{"data":[{"url":"u"},{"b64_json":"AA","url":null},{"error":"no"}]}',
			),
		).toEqual({ image: 2 });
		expect(counted('{"data":[]}')).toEqual({ image: 0 });
		// Broken off, and without a list: as ordered.
		expect(counted('{"data":[{"b64_json":"AA')).toEqual({ image: 3 });
		expect(counted("{}")).toEqual({ image: 3 });
	});

	it.each([
		[{ input_tokens: -1 }],
		[{ output_tokens: 5 }],
		[{ input_tokens: 5, input_tokens_details: { image_tokens: 6 } }],
		[{ input_tokens: 5, input_tokens_details: { cached_tokens: 6 } }],
		[
			{
				input_tokens: 5,
				output_tokens: 1,
				output_tokens_details: { text_tokens: 2 },
			},
		],
	])("throws usage away that makes no sense: %j", (usage) => {
		const body = JSON.stringify({ data: [{ url: "u" }], usage });
		const metered = meter(
			asked("image-generations", painting),
			"application/json",
			[bytes(body)],
		);
		expect(metered.usage).toBeUndefined();
		expect(metered.absurd).toBeDefined();
		expect(metered.counted).toEqual({ image: 1 });
	});
});

describe("a stream of media", () => {
	const request = asked("image-generations", { ...painting, stream: true });
	const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
	const image = "A".repeat(1_000);
	const usage = {
		input_tokens: 7,
		input_tokens_details: { text_tokens: 7, image_tokens: 0 },
		output_tokens: 50,
	};
	const draft = event({
		type: "image_generation.partial_image",
		b64_json: image,
	});
	const done = event({
		type: "image_generation.completed",
		b64_json: image,
		usage,
	});

	it("is counted at its end, wherever chunks split", () => {
		const whole = bytes(draft + done);
		const expected = {
			usage: { input: 7, "output-image": 50 },
			counted: { image: 1 },
			complete: true,
		};
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 700 }), (size) => {
				const chunks: Buffer[] = [];
				for (let at = 0; at < whole.length; at += size)
					chunks.push(whole.subarray(at, at + size));
				expect(meter(request, "text/event-stream", chunks)).toMatchObject(
					expected,
				);
			}),
			{ numRuns: 40 },
		);
	});

	it("adds up the usage of all its images", () => {
		expect(
			meter(request, "text/event-stream", [bytes(done + done)]),
		).toMatchObject({
			usage: { input: 14, "output-image": 100 },
			counted: { image: 2 },
		});
	});

	it("with an image of ten megabytes in one event is read all the same", () => {
		const large = event({
			type: "image_generation.completed",
			b64_json: "A".repeat(10 * 1024 * 1024),
			usage,
		});
		expect(meter(request, "text/event-stream", [bytes(large)]).usage).toEqual({
			input: 7,
			"output-image": 50,
		});
	});

	it("that broke off is not whole, and delivered something or nothing", () => {
		const broken = meter(request, "text/event-stream", [
			bytes(draft + done.slice(0, -1)),
		]);
		expect(broken).toMatchObject({ complete: false, usage: undefined });
		expect(broken.deliveredBytes).toBe(2_000);
		expect(meter(request, "text/event-stream", [])).toMatchObject({
			complete: false,
			deliveredBytes: 0,
		});
	});

	it("tells of the vendor's error", () => {
		const error = event({ type: "error", error: { code: "x", message: "No" } });
		expect(
			meter(request, "text/event-stream", [bytes(error)]).vendorError,
		).toBe("x: No");
	});
});

describe("speech", () => {
	it("is ordered by its characters, not by their bytes", () => {
		const { order, stream } = asked("speech", { ...speaking, input: "é🌍a" });
		expect(order?.most.pieces).toEqual({ character: 3 });
		expect(stream).toBe(false);
		expect(asked("speech", { ...speaking, stream_format: "sse" }).stream).toBe(
			true,
		);
		expect(refused("speech", { model: "m", input: ["a"] })).toBe("input");
		const slow = asked("speech", { ...speaking, speed: 0.25 }).order;
		expect(slow?.most.tokens["output-audio"]).toBe(2_000);
	});

	it("flows as it comes; an empty answer is none", () => {
		const request = asked("speech", speaking);
		const watching = openaiChat.meter(
			request,
			{ body: request.body, usageAsked: false },
			200,
			"audio/mpeg",
		);
		expect(watching.flows).toBe(true);
		expect(watching.finish()).toMatchObject({
			complete: false,
			deliveredBytes: 0,
			counted: { character: 5 },
		});
	});
});

describe("a transcript", () => {
	const listening = (file: Buffer) =>
		readForm("transcriptions", { model: "m", file });
	const wave = (seconds: number) => {
		const file = Buffer.alloc(44 + seconds * 16_000);
		file.write("RIFF", 0, "latin1");
		file.write("WAVEfmt ", 8, "latin1");
		file.writeUInt16LE(1, 20);
		file.writeUInt16LE(1, 22);
		file.writeUInt32LE(8_000, 24);
		file.writeUInt16LE(16, 34);
		return file;
	};
	const seconds = (file: Buffer) => {
		const { order } = listening(file);
		return [
			order?.most.pieces["audio-second"],
			order?.usual.pieces["audio-second"],
		];
	};

	it("is ordered by the seconds that its upload can hold", () => {
		expect(seconds(wave(10))).toEqual([11, 11]);
		expect(seconds(Buffer.alloc(75_000, 1))).toEqual([101, 10]);
		expect(seconds(Buffer.alloc(0))).toEqual([1, 1]);
	});

	it("does not believe a header that makes sound short beyond measure", () => {
		const fast = wave(10);
		fast.writeUInt32LE(4_000_000_000, 24);
		expect(seconds(fast)).toEqual([215, 21]);
	});

	it.each([
		["url", { url: "https://a.example/a.mp3" }],
		["file_id", { file_id: "f" }],
		["file", { file: "text" }],
	])("refuses %s, of which nobody knows how long it is", (field, more) => {
		expect(
			sent("transcriptions", { model: "m", file: wave(1), ...more }),
		).toMatchObject({ error: { code: "request/invalid", details: { field } } });
		expect(sent("translations", { model: "m" })).toMatchObject({
			error: { details: { field: "file" } },
		});
	});

	it.each([
		[
			{ usage: { type: "duration", seconds: 8.2 } },
			{ "audio-second": 9 },
			undefined,
		],
		[{ duration: "8.2" }, undefined, { "audio-second": 9 }],
		[
			{ duration: 8, usage: { type: "duration", seconds: 9 } },
			{ "audio-second": 9 },
			{ "audio-second": 8 },
		],
		[
			{
				usage: {
					prompt_audio_seconds: 4,
					prompt_tokens: 6,
					completion_tokens: 2,
					total_tokens: 8,
				},
			},
			{ "input-audio": 6, output: 2 },
			{ "audio-second": 4 },
		],
		[{ usage: { type: "duration", seconds: -1 } }, undefined, undefined],
		[{ duration: "long" }, undefined, undefined],
	])("is counted as its answer says: %j", (answer, usage, counted) => {
		const metered = meter(
			listening(wave(1)),
			"application/json; charset=utf-8",
			[bytes(JSON.stringify({ text: "Hi", ...answer }))],
		);
		expect({ usage: metered.usage, counted: metered.counted }).toEqual({
			usage,
			counted,
		});
	});

	it("as bare text is counted by its bytes; of silence it is empty and whole", () => {
		expect(
			meter(listening(wave(1)), "text/plain", [bytes("Hi\n")]),
		).toMatchObject({
			complete: true,
			deliveredBytes: 3,
			usage: undefined,
		});
		expect(meter(listening(wave(1)), "text/plain", []).complete).toBe(true);
	});
});

it("lives through answers of any bytes, and passes them", () => {
	const requests = [
		asked("image-generations", painting),
		asked("speech", speaking),
		readForm("translations", { model: "m", file: Buffer.from("x") }),
	];
	fc.assert(
		fc.property(
			fc.constantFrom(...requests),
			fc.constantFrom("text/event-stream", "application/json", "audio/wav", ""),
			fc.array(
				fc.oneof(
					fc.constantFrom(
						'data: {"usage":',
						'"type":"speech.audio.done"',
						'{"data":[',
						"\n\n",
						"}",
						'"b64_json":"',
					),
					fc.string({ maxLength: 8 }),
				),
				{ maxLength: 10 },
			),
			(request, contentType, pieces) => {
				const { deliveredBytes } = meter(
					request,
					contentType,
					pieces.map(bytes),
				);
				expect(deliveredBytes).toBeLessThanOrEqual(
					Buffer.byteLength(pieces.join("")),
				);
			},
		),
	);
});
