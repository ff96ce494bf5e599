import OpenAI, { toFile } from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startStudio, type TestStudio } from "../support/studio.ts";
import {
	type Received,
	sendFrames,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";

/** Images, speech and transcripts: the vendor's own SDK through the gateway to an upstream of the same protocol. */

const pixel =
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/** Prices as vendors state them: by tokens, by the image, by the character, by the minute. */
const settings = (url: string) => `
vendors:
  mock: { protocol: openai-chat, base: "${url}/v1", key: vendor-secret-key-123456 }
prices:
  - { vendor: mock, model: painter, perImage: 0.04 }
  - { vendor: mock, model: gpt-image-*, prices: { input: 5, cache-read: 1.25, input-image: 10, cache-read-image: 2.5, output: 10, output-image: 40 } }
  - { vendor: mock, model: speaker, prices: { character: 15 } }
  - { vendor: mock, model: tokens-*, prices: { input: 2.5, input-audio: 6, output: 10, output-audio: 12 } }
  - { vendor: mock, model: listener, perAudioMinute: 0.006 }
  - { vendor: mock, model: text-only, prices: { character: 1 } }
`;

let upstream: Upstream;
let studio: TestStudio;
let client: OpenAI;

beforeEach(async () => {
	upstream = await startUpstream((_, response) =>
		sendJson(response, 500, "{}"),
	);
	studio = await startStudio(settings(upstream.url));
	client = new OpenAI({
		apiKey: await studio.key(),
		baseURL: `${studio.url}/v1`,
		maxRetries: 0,
	});
});
afterEach(async () => {
	await studio.close();
	await upstream.close();
});

/** What the call was charged, and its receipt; nothing stays held. */
// biome-ignore lint/suspicious/noExplicitAny: what a receipt says is what the tests look at.
async function receiptOf(response: Response): Promise<any> {
	await studio.settled();
	expect(studio.account().held).toBe(0);
	const call = response.headers.get("x-dos-call-id");
	const receipt = await fetch(`${studio.url}/v1/receipts/${call}`, {
		headers: { authorization: `Bearer ${client.apiKey}` },
	});
	return receipt.json();
}

const event = (data: { type: string }) =>
	`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;

describe("images.generate", () => {
	it("is paid by the image where nothing is said of tokens", async () => {
		upstream.answer = (_, response) =>
			sendJson(
				response,
				200,
				JSON.stringify({
					created: 1,
					data: [{ b64_json: pixel }, { url: "https://a.example/2.png" }],
				}),
			);
		const { data, response } = await client.images
			.generate({ model: "mock/painter", prompt: "A cat", n: 2 })
			.withResponse();
		expect(data.data?.[0]?.b64_json).toBe(pixel);
		expect(upstream.received[0]).toMatchObject({
			path: "/v1/images/generations",
			body: JSON.stringify({ model: "painter", prompt: "A cat", n: 2 }),
		});
		expect(response.headers.get("x-dos-credits")).toBe("8000000");
		expect(await receiptOf(response)).toMatchObject({
			charged: 8_000_000,
			basis: "priced",
			lines: [{ class: "image", units: 2 }],
		});
	});

	it("is paid in tokens where the vendor counts them, each class at its price", async () => {
		upstream.answer = (_, response) =>
			sendJson(
				response,
				200,
				JSON.stringify({
					created: 1,
					data: [{ b64_json: pixel }],
					usage: {
						input_tokens: 300,
						input_tokens_details: {
							text_tokens: 100,
							image_tokens: 200,
							cached_tokens: 90,
							cached_tokens_details: { text_tokens: 40, image_tokens: 50 },
						},
						output_tokens: 4_260,
						output_tokens_details: { text_tokens: 100, image_tokens: 4_160 },
						total_tokens: 4_560,
					},
				}),
			);
		const { response } = await client.images
			.generate({ model: "mock/gpt-image-1", prompt: "A cat" })
			.withResponse();
		const receipt = await receiptOf(response);
		expect(receipt.usage).toEqual({
			input: 60,
			"cache-read": 40,
			"input-image": 150,
			"cache-read-image": 50,
			output: 100,
			"output-image": 4_160,
		});
		// 60×500 + 40×125 + 150×1000 + 50×250 + 100×1000 + 4160×4000 micro-credits.
		expect(receipt.charged).toBe(16_937_500);
	});

	it("streams drafts and the image, with its usage at the end", async () => {
		upstream.answer = (_, response) =>
			sendFrames(response, [
				event({
					type: "image_generation.partial_image",
					partial_image_index: 0,
					b64_json: pixel,
				} as { type: string }),
				event({
					type: "image_generation.completed",
					b64_json: pixel,
					usage: {
						input_tokens: 10,
						input_tokens_details: { text_tokens: 10, image_tokens: 0 },
						output_tokens: 1_000,
						total_tokens: 1_010,
					},
				} as { type: string }),
			]);
		const { data, response } = await client.images
			.generate({
				model: "mock/gpt-image-1",
				prompt: "A cat",
				stream: true,
				partial_images: 1,
			})
			.withResponse();
		const types = [];
		for await (const part of data) types.push(part.type);
		expect(types).toEqual([
			"image_generation.partial_image",
			"image_generation.completed",
		]);
		expect(await receiptOf(response)).toMatchObject({
			charged: 10 * 500 + 1_000 * 4_000,
			basis: "priced",
		});
	});

	it("left after the first draft is paid as ordered, once", async () => {
		upstream.answer = async (received, response) => {
			response.writeHead(200, { "content-type": "text/event-stream" });
			response.write(
				event({
					type: "image_generation.partial_image",
					b64_json: pixel,
				} as { type: string }),
			);
			await received.cancelled;
		};
		const { data, response } = await client.images
			.generate({ model: "mock/painter", prompt: "A cat", stream: true })
			.withResponse();
		for await (const _ of data) break;
		expect(await receiptOf(response)).toMatchObject({
			charged: 4_000_000,
			ending: "client-gone",
			lines: [{ class: "image", units: 1 }],
		});
	});

	it("is held for by its number, so that nothing goes out unpaid", async () => {
		const poor = new OpenAI({
			apiKey: await studio.key({ caps: { total: 11_999_999 } }),
			baseURL: `${studio.url}/v1`,
			maxRetries: 0,
		});
		const refused = await poor.images
			.generate({ model: "mock/painter", prompt: "A cat", n: 3 })
			.catch((error: unknown) => error);
		expect(refused).toMatchObject({
			status: 402,
			code: "credits/cap-exceeded",
			error: { dos: { needed: 12_000_000 } },
		});
		expect(upstream.received).toHaveLength(0);
	});

	it.each([
		["mock/unknown", /perImage: 0\.04/],
		["mock/text-only", /\{ vendor: mock, model: text-only, perImage: 0\.04 \}/],
	])(
		"of unknown price is refused with the row to add: %s",
		async (model, row) => {
			const refused = await client.images
				.generate({ model, prompt: "A cat" })
				.catch((error: unknown) => error);
			expect(refused).toMatchObject({
				status: 422,
				code: "price/unknown",
				message: expect.stringMatching(row),
			});
			expect(upstream.received).toHaveLength(0);
		},
	);

	it("that the vendor refuses costs nothing", async () => {
		upstream.answer = (_, response) =>
			sendJson(response, 400, '{"error":{"message":"No cats","type":"x"}}');
		await expect(
			client.images.generate({ model: "mock/painter", prompt: "A cat" }),
		).rejects.toBeInstanceOf(OpenAI.BadRequestError);
		await studio.settled();
		expect(studio.account()).toMatchObject({ spent: 0, held: 0 });
	});
});

it("images.edit sends its form on with another model's name, byte for byte otherwise", async () => {
	upstream.answer = (_, response) =>
		sendJson(
			response,
			200,
			JSON.stringify({ created: 1, data: [{ b64_json: pixel }] }),
		);
	const { response } = await client.images
		.edit({
			model: "mock/painter",
			image: await toFile(Buffer.from(pixel, "base64"), "a.png"),
			prompt: "A hat",
		})
		.withResponse();
	expect(upstream.received[0]?.path).toBe("/v1/images/edits");
	expect(await formOf(upstream.received[0])).toMatchObject({
		model: "painter",
		prompt: "A hat",
	});
	expect((await receiptOf(response)).charged).toBe(4_000_000);
});

describe("audio.speech.create", () => {
	const text = "Hello, wörld 🌍";
	const characters = 14;
	const sound = Buffer.from(Array.from({ length: 5_000 }, (_, at) => at % 251));

	it("gives the sound as it came, paid by the character", async () => {
		upstream.answer = (_, response) => {
			response.writeHead(200, { "content-type": "audio/mpeg" });
			response.end(sound);
		};
		const response = await client.audio.speech.create({
			model: "mock/speaker",
			input: text,
			voice: "ash",
		});
		expect(response.headers.get("content-type")).toBe("audio/mpeg");
		expect(Buffer.from(await response.arrayBuffer()).equals(sound)).toBe(true);
		expect(upstream.received[0]?.body).toBe(
			JSON.stringify({ model: "speaker", input: text, voice: "ash" }),
		);
		expect(await receiptOf(response)).toMatchObject({
			charged: characters * 1_500,
			basis: "priced",
			lines: [{ class: "character", units: characters }],
		});
	});

	it("flows while it is made, and is paid whole when the listener leaves", async () => {
		upstream.answer = async (received, response) => {
			response.writeHead(200, { "content-type": "audio/mpeg" });
			response.write(sound);
			await received.cancelled;
		};
		const response = await client.audio.speech.create({
			model: "mock/speaker",
			input: text,
			voice: "ash",
		});
		// The answer has no end yet: its first bytes are here all the same.
		const reader = response.body?.getReader();
		expect((await reader?.read())?.value?.length).toBeGreaterThan(0);
		await reader?.cancel();
		expect(await receiptOf(response)).toMatchObject({
			charged: characters * 1_500,
			ending: "client-gone",
		});
	});

	it("that the vendor breaks off is seen as broken, and paid once", async () => {
		upstream.answer = (_, response) => {
			response.writeHead(200, { "content-type": "audio/mpeg" });
			response.write(sound, () => response.destroy());
		};
		const response = await client.audio.speech.create({
			model: "mock/speaker",
			input: text,
			voice: "ash",
		});
		await expect(response.arrayBuffer()).rejects.toThrow();
		expect(await receiptOf(response)).toMatchObject({
			charged: characters * 1_500,
			ending: "vendor-broke-off",
		});
	});

	it("in events is paid by the tokens that the last of them tells", async () => {
		upstream.answer = (_, response) =>
			sendFrames(response, [
				event({ type: "speech.audio.delta", audio: "AAAA" } as {
					type: string;
				}),
				event({
					type: "speech.audio.done",
					usage: { input_tokens: 14, output_tokens: 101, total_tokens: 115 },
				} as { type: string }),
			]);
		const response = await client.audio.speech.create({
			model: "mock/tokens-tts",
			input: text,
			voice: "ash",
			stream_format: "sse",
		});
		expect(await response.text()).toContain("speech.audio.done");
		expect(await receiptOf(response)).toMatchObject({
			charged: 14 * 250 + 101 * 1_200,
			basis: "priced",
			usage: { input: 14, "output-audio": 101 },
		});
	});

	it("of which tokens are priced and none are told is estimated, and says so", async () => {
		upstream.answer = (_, response) => {
			response.writeHead(200, { "content-type": "audio/wav" });
			response.end(sound);
		};
		const response = await client.audio.speech.create({
			model: "mock/tokens-tts",
			input: text,
			voice: "ash",
		});
		await response.arrayBuffer();
		const receipt = await receiptOf(response);
		expect(receipt.basis).toBe("estimated");
		expect(receipt.charged).toBeGreaterThan(0);
		expect(receipt.notes.join()).toContain("the length of the text");
	});
});

describe("audio.transcriptions.create", () => {
	const sound = Buffer.concat([
		Buffer.from("OggS\r\n--x\r\n"),
		Buffer.alloc(160_000, 7),
	]);
	const file = () => toFile(sound, "talk.ogg", { type: "audio/ogg" });

	it("is paid by the seconds that the vendor heard; the sound reaches it byte for byte", async () => {
		upstream.answer = (_, response) =>
			sendJson(
				response,
				200,
				'{"text":"Hi","usage":{"type":"duration","seconds":61}}',
			);
		const { data, response } = await client.audio.transcriptions
			.create({ model: "mock/listener", file: await file() })
			.withResponse();
		expect(data.text).toBe("Hi");
		const [received] = upstream.received;
		expect(received?.path).toBe("/v1/audio/transcriptions");
		expect(received?.headers["content-type"]).toMatch(
			/^multipart\/form-data; ?boundary=/,
		);
		expect(await formOf(received)).toEqual({
			model: "listener",
			file: sound.toString("latin1"),
		});
		expect(await receiptOf(response)).toMatchObject({
			charged: 61 * 10_000,
			basis: "priced",
			lines: [{ class: "audio-second", units: 61 }],
		});
	});

	it("is paid by the duration that a verbose answer states", async () => {
		upstream.answer = (_, response) =>
			sendJson(
				response,
				200,
				'{"task":"transcribe","language":"en","duration":8.47,"text":"Hi","segments":[]}',
			);
		const { response } = await client.audio.transcriptions
			.create({
				model: "mock/listener",
				file: await file(),
				response_format: "verbose_json",
			})
			.withResponse();
		expect(await receiptOf(response)).toMatchObject({
			charged: 9 * 10_000,
			basis: "priced",
		});
	});

	it("as text says nothing of seconds: it is estimated from the upload, and says so", async () => {
		upstream.answer = (_, response) => {
			response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
			response.end("Hi there\n");
		};
		const { data, response } = await client.audio.transcriptions
			.create({
				model: "mock/listener",
				file: await file(),
				response_format: "text",
			})
			.withResponse();
		expect(data).toBe("Hi there\n");
		const receipt = await receiptOf(response);
		// 160,011 bytes at 64 kbit a second.
		expect(receipt).toMatchObject({
			charged: 21 * 10_000,
			basis: "estimated",
		});
		expect(receipt.notes.join()).toContain("the size of the upload");
	});

	it("streams, and is paid by its tokens of sound and text", async () => {
		upstream.answer = (_, response) =>
			sendFrames(response, [
				event({ type: "transcript.text.delta", delta: "Hi" } as {
					type: string;
				}),
				event({
					type: "transcript.text.done",
					text: "Hi",
					usage: {
						type: "tokens",
						input_tokens: 110,
						input_token_details: { text_tokens: 10, audio_tokens: 100 },
						output_tokens: 5,
						total_tokens: 115,
					},
				} as { type: string }),
			]);
		const { data, response } = await client.audio.transcriptions
			.create({
				model: "mock/tokens-stt",
				file: await file(),
				stream: true,
			})
			.withResponse();
		const types = [];
		for await (const part of data) types.push(part.type);
		expect(types.at(-1)).toBe("transcript.text.done");
		expect(await receiptOf(response)).toMatchObject({
			charged: 10 * 250 + 100 * 600 + 5 * 1_000,
			usage: { input: 10, "input-audio": 100, output: 5 },
		});
	});

	it("takes uploads of 25 MB", async () => {
		upstream.answer = (_, response) =>
			sendJson(
				response,
				200,
				'{"text":"Long","usage":{"type":"duration","seconds":600}}',
			);
		const large = Buffer.alloc(25 * 1024 * 1024, 1);
		await studio.run({
			type: "grant",
			account: "main",
			amount: 100_000_000_000,
		});
		await client.audio.translations.create({
			model: "mock/listener",
			file: await toFile(large, "long.mp3"),
		});
		expect(upstream.received[0]?.path).toBe("/v1/audio/translations");
		expect(upstream.received[0]?.headers["content-length"]).toBe(
			String(upstream.received[0]?.bytes.length),
		);
		await studio.settled();
		expect(studio.account()).toMatchObject({ spent: 6_000_000, held: 0 });
	});

	it.each([
		["no form", "application/json", "{}", "request/invalid"],
		[
			"no end",
			"multipart/form-data; boundary=B",
			'--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n',
			"request/malformed-form",
		],
		[
			"no model",
			"multipart/form-data; boundary=B",
			'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nm\r\n--B--',
			"request/invalid",
		],
	])(
		"refuses %s clearly, and nothing goes out",
		async (_, type, body, code) => {
			const response = await fetch(`${studio.url}/v1/audio/transcriptions`, {
				method: "POST",
				headers: {
					authorization: `Bearer ${client.apiKey}`,
					"content-type": type,
				},
				body,
			});
			expect(response.status).toBe(400);
			expect(await response.json()).toMatchObject({ error: { code } });
			expect(upstream.received).toHaveLength(0);
		},
	);
});

it("with no vendor at all, the loopback substrate draws, speaks and listens, and says what it is", async () => {
	const alone = await startStudio();
	try {
		const openai = new OpenAI({
			apiKey: await alone.key(),
			baseURL: `${alone.url}/v1`,
			maxRetries: 0,
		});
		const image = await openai.images.generate({ model: "m", prompt: "A cat" });
		expect(image.data?.[0]?.revised_prompt).toMatch(/loopback/);
		const speech = await openai.audio.speech.create({
			model: "m",
			input: "Hello",
			voice: "ash",
		});
		const wave = Buffer.from(await speech.arrayBuffer());
		expect(wave.toString("latin1", 0, 4)).toBe("RIFF");
		const heard = await openai.audio.transcriptions.create({
			model: "m",
			file: await toFile(wave, "a.wav"),
		});
		expect(heard.text).toMatch(/loopback/);
		const text = await openai.audio.transcriptions.create({
			model: "m",
			file: await toFile(wave, "a.wav"),
			response_format: "text",
		});
		expect(text).toMatch(/loopback/);
		await alone.settled();
		// An image, five characters, and twice a second.
		expect(alone.account()).toMatchObject({
			spent: 1_000_000 + 5 * 1_000 + 10_000 + 10_000,
			held: 0,
		});
	} finally {
		await alone.close();
	}
});

/** A form as the upstream got it, read by the runtime. */
async function formOf(received: Received | undefined) {
	const form = await new Response(new Uint8Array(received?.bytes ?? []), {
		headers: { "content-type": received?.headers["content-type"] ?? "" },
	}).formData();
	const fields: Record<string, string> = {};
	for (const [name, value] of form)
		fields[name] =
			typeof value === "string"
				? value
				: Buffer.from(await value.arrayBuffer()).toString("latin1");
	return fields;
}
