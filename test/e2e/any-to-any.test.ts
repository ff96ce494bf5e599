import Anthropic from "@anthropic-ai/sdk";
import { LLMock } from "@copilotkit/aimock";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { otherClients, vendorClients } from "../support/clients/all.ts";
import {
	type Ask,
	type Client,
	pdf,
	png,
	type Told,
} from "../support/clients/client.ts";
import { startStudio, type TestStudio } from "../support/studio.ts";
import { chat } from "../support/vendors/chat.ts";
import { gemini } from "../support/vendors/gemini.ts";
import { messages } from "../support/vendors/messages.ts";
import { responses } from "../support/vendors/responses.ts";
import {
	type Simulation,
	startSimulation,
} from "../support/vendors/simulation.ts";

/*
 * Any client reaches any model: the SDKs as their users use them, over the real gateway, to vendors
 * that take what their documents say and nothing else.
 */

const clients = [...vendorClients, ...otherClients];
const nowhere = { url: "http://127.0.0.1:9", key: "none" };

const vendors = [
	{
		id: "chat",
		protocol: "openai-chat",
		wire: chat,
		base: "/v1",
		plain: "chat/gpt-4.1",
		thinker: "deep/deepseek-v4",
	},
	{
		id: "responses",
		protocol: "openai-responses",
		wire: responses,
		base: "/v1",
		plain: "responses/gpt-5.2",
		thinker: "responses/gpt-5.2",
	},
	{
		id: "messages",
		protocol: "anthropic-messages",
		wire: messages,
		base: "/v1",
		plain: "messages/claude-sonnet-4-6",
		thinker: "messages/claude-sonnet-4-6",
	},
	{
		id: "gemini",
		protocol: "google-generate",
		wire: gemini,
		base: "/v1beta",
		plain: "gemini/gemini-2.5-flash",
		thinker: "gemini/gemini-3-pro",
	},
] as const;

/** The names that the clients know, for models of all the vendors: a person keeps the tool they like. */
const families = [...new Set(clients.map((connect) => connect(nowhere).model))];
const aliases = families.flatMap((family) =>
	vendors.flatMap(({ id, plain, thinker }) => [
		`  ${family}-${id}: ${plain}`,
		`  ${family}-${id}-thinking: ${thinker}`,
	]),
);

const simulations = new Map<string, Simulation>();
let studio: TestStudio;
let key: string;
/** Calls of the test that runs, as their answers named them. */
let calls: string[] = [];
let warned: string[] = [];
const realFetch = globalThis.fetch;

beforeAll(async () => {
	for (const { id, wire } of vendors)
		simulations.set(id, await startSimulation(wire));
	const rows = vendors.map(
		({ id, protocol, base }) =>
			`  ${id}: { protocol: ${protocol}, base: "${simulations.get(id)?.url}${base}", key: k }`,
	);
	studio = await startStudio(`
retries: { attempts: 1 }
vendors:
${rows.join("\n")}
  deep: { protocol: openai-chat, base: "${simulations.get("chat")?.url}/v1", key: k, quirks: { takes: [reasoning_content] } }
prices:
  - { vendor: "*", model: "*", prices: { input: 1, cache-read: 0.5, output: 2 } }
models:
${aliases.join("\n")}
`);
	key = await studio.key();
	globalThis.fetch = async (...request) => {
		const answer = await realFetch(...request);
		const call = answer.headers.get("x-dos-call-id");
		if (call && answer.ok) calls.push(call);
		const warnings = answer.headers.get("x-dos-warnings");
		if (warnings) warned.push(warnings);
		return answer;
	};
});
afterAll(async () => {
	globalThis.fetch = realFetch;
	await studio.close();
	for (const simulation of simulations.values()) await simulation.close();
});
beforeEach(() => {
	calls = [];
	warned = [];
	for (const { refused } of simulations.values()) refused.length = 0;
});

interface Receipt {
	readonly ending: string;
	readonly basis: string;
	readonly charged: number;
	readonly lines: readonly { readonly class: string; readonly units: number }[];
}

async function receiptOf(call: string | undefined): Promise<Receipt> {
	await studio.settled();
	const answer = await realFetch(`${studio.url}/v1/receipts/${call}`, {
		headers: { authorization: `Bearer ${key}` },
	});
	return (await answer.json()) as Receipt;
}

/** What the client was told of its last call is what it paid for. */
async function mustBePaid({ usage }: Told): Promise<void> {
	const { ending, lines } = await receiptOf(calls.at(-1));
	const units = (...classes: string[]) =>
		lines
			.filter((line) => classes.includes(line.class))
			.reduce((sum, line) => sum + line.units, 0);
	expect(ending).toBe("finished");
	expect(usage).toMatchObject({
		input: units("input", "cache-read", "cache-write"),
		output: units("output", "reasoning"),
	});
	if (usage?.cached !== undefined)
		expect(usage.cached).toBe(units("cache-read"));
}

describe.each(clients.map((connect) => ({ connect, ...connect(nowhere) })))(
	"$name",
	({ connect, can, protocol: spoken, model: family }) => {
		let client: Client;
		beforeAll(() => {
			client = connect({ url: studio.url, key });
		});

		describe.each(vendors)("to a vendor of $protocol", ({ id, protocol }) => {
			const model = `${family}-${id}`;
			const thinker = `${model}-thinking`;
			const hello: Ask = { model, said: "Hello wörld 🌍" };
			const tools: Ask = {
				model,
				said: 'The weather in "Zürich" and "Genève", please',
			};
			const toolsSay =
				/^The tools say: .*Zürich is sunny.*; .*Genève is sunny.*\.$/;
			const refused = () => simulations.get(id)?.refused;

			it("answers in text", async () => {
				const told = await client.ask(hello);
				expect(told.text).toBe("You said: Hello wörld 🌍. Grüße 👋");
				await mustBePaid(told);
			});

			it("streams", async () => {
				const told = await client.stream(hello);
				expect(told.text).toBe("You said: Hello wörld 🌍. Grüße 👋");
				if (can.has("stream-usage")) await mustBePaid(told);
			});

			it("keeps system messages and earlier turns", async () => {
				const { text } = await client.ask({
					...hello,
					system: "Be kind.",
					before: { user: "One", assistant: "Two" },
				});
				expect(text).toBe(
					"You said: Hello wörld 🌍. Told: Be kind.. Turn 2. Grüße 👋",
				);
			});

			it.runIf(can.has("developer"))(
				"keeps developer messages beside the system's",
				async () => {
					const { text } = await client.ask({
						...hello,
						system: "Be kind.",
						developer: "Be brief.",
					});
					expect(text).toContain("Be kind.");
					expect(text).toContain("Be brief.");
				},
			);

			it("shows images", async () => {
				const { text } = await client.ask({ ...hello, png });
				expect(text).toMatch(/Seen: .*image\/png/);
			});

			it.runIf(can.has("pdf"))("shows PDFs", async () => {
				const { text } = await client.ask({ ...hello, pdf });
				expect(text).toMatch(/Seen: .*application\/pdf/);
			});

			it.runIf(can.has("stop"))(
				"stops at a stop sequence, or refuses it",
				async () => {
					const asked = client.ask({
						...hello,
						said: "one END two",
						stop: "END",
					});
					// The Responses API has none, so nothing that would run on is passed off as stopped.
					if (protocol === "openai-responses")
						expect(client.statusOf(await asked.catch((fault) => fault))).toBe(
							422,
						);
					else expect((await asked).text).toBe("You said: one ");
				},
			);

			it("uses tools, several at once, in a loop of its own", async () => {
				const told = await client.loop(tools);
				expect(told.text).toMatch(toolsSay);
				expect(calls).toHaveLength(2);
				await mustBePaid(told);
			});

			it("uses tools on streams", async () => {
				const told = await client.streamedLoop?.(tools);
				expect(told?.text).toMatch(toolsSay);
				expect(calls).toHaveLength(2);
				if (can.has("stream-usage")) await mustBePaid(told as Told);
			});

			it.runIf(can.has("tool-errors"))("tells of tools that fail", async () => {
				const { text } = await client.loop({ ...tools, fails: true });
				expect(text.match(/no signal/g)).toHaveLength(2);
			});

			// What its SDK drops of an extension of its own protocol is not in our hands.
			it.runIf(
				can.has("carry-reasoning") && `${spoken} ${id}` !== "openai-chat chat",
			)(
				"carries reasoning through a loop of tools, as the vendor demands",
				async () => {
					for (const loop of [client.loop, client.streamedLoop]) {
						const told = await loop?.({
							...tools,
							model: thinker,
							thinks: true,
						});
						expect(refused()).toEqual([]);
						expect(told?.text).toMatch(toolsSay);
						if (can.has("reasoning"))
							expect(told?.reasoning).toContain("The weather in");
					}
				},
			);

			it.runIf(can.has("reasoning"))("shows reasoning", async () => {
				const ask = { ...hello, model: thinker, thinks: true };
				for (const told of [await client.ask(ask), await client.stream(ask)]) {
					expect(told.reasoning).toBe("They said Hello wörld 🌍.");
					expect(told.text).toBe("You said: Hello wörld 🌍. Grüße 👋");
					await mustBePaid(told);
				}
			});

			it("answers to a schema", async () => {
				expect(await client.shape(hello)).toEqual({
					city: expect.any(String),
					degrees: 7,
					sky: "clear",
					hours: [{ rain: true }],
				});
			});

			it.each([400, 429, 529])(
				"raises its own error for a vendor's %i, and nothing is paid",
				async (status) => {
					const before = studio.account().spent;
					for (const ask of [client.ask, client.stream]) {
						const fault = await ask({
							...hello,
							said: `status ${status}`,
						}).catch((fault) => fault);
						expect(client.statusOf(fault), String(fault)).toBe(status);
						expect(String(fault.message)).toContain("As you wish.");
					}
					await studio.settled();
					expect(studio.account().spent).toBe(before);
				},
			);

			it("raises an error where a stream breaks off, and what came is paid", async () => {
				await expect(
					client.stream({ ...hello, said: "break off" }),
				).rejects.toThrow();
				const { ending, charged } = await receiptOf(calls.at(-1));
				expect(ending).toBe("vendor-broke-off");
				expect(charged).toBeGreaterThan(0);
			});
		});
	},
);

describe("what the SDKs have beside answers", () => {
	const openai = () =>
		new OpenAI({ apiKey: key, baseURL: `${studio.url}/v1`, maxRetries: 0 });
	const claude = () =>
		new Anthropic({ apiKey: key, baseURL: studio.url, maxRetries: 0 });
	const gemini = () =>
		new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: studio.url } });

	it.each(["chat", "gemini"])(
		"embeddings, from a vendor of %s",
		async (vendor) => {
			const { data } = await openai().embeddings.create({
				model: `${vendor}/embed`,
				input: ["Owl", "Raven"],
				dimensions: 4,
			});
			// Numbers, though the SDK asks for base64.
			expect(data.map(({ embedding }) => embedding)).toEqual([
				[3, 3.25, 3.5, 3.75],
				[5, 5.25, 5.5, 5.75],
			]);
			const { embeddings } = await gemini().models.embedContent({
				model: `${vendor}/embed`,
				contents: ["Owl", "Raven"],
			});
			expect(embeddings?.map(({ values }) => values)).toEqual([
				[3, 3.25, 3.5],
				[5, 5.25, 5.5],
			]);
		},
	);

	it.each(vendors)("tokens are counted for $plain", async ({ plain }) => {
		const counted = await claude().messages.countTokens({
			model: plain,
			messages: [{ role: "user", content: "How many owls?" }],
		});
		expect(counted.input_tokens).toBeGreaterThan(0);
		const { totalTokens } = await gemini().models.countTokens({
			model: plain,
			contents: "How many owls?",
		});
		expect(totalTokens).toBeGreaterThan(0);
	});

	it("models are listed in each one's own shape", async () => {
		const ids: string[] = [];
		for await (const { id } of openai().models.list()) ids.push(id);
		const claudes: string[] = [];
		for await (const { id } of claude().models.list()) claudes.push(id);
		const geminis: string[] = [];
		for await (const { name = "" } of await gemini().models.list())
			geminis.push(name);
		expect(ids).toContain("gpt-5.2-messages");
		expect(claudes).toContain("gpt-5.2-messages");
		expect(geminis).toContain("models/gpt-5.2-messages");
	});

	it.each(vendors)(
		"a chat of the google SDK goes on with $plain",
		async ({ plain }) => {
			const chat = gemini().chats.create({ model: plain });
			await chat.sendMessage({ message: "One" });
			const { text } = await chat.sendMessage({ message: "Two" });
			expect(text).toContain("You said: Two. Turn 2.");
		},
	);

	it.each(vendors)(
		"the Messages API calls the model as it was asked for: $plain",
		async ({ plain }) => {
			const asked = {
				model: plain,
				max_tokens: 1_000,
				messages: [{ role: "user" as const, content: "Owl" }],
			};
			const whole = await claude().messages.create(asked);
			const streamed = await claude().messages.stream(asked).finalMessage();
			expect([whole.model, streamed.model]).toEqual([plain, plain]);
		},
	);

	it.each(vendors)(
		"tools that come within a conversation are called: $plain",
		async ({ plain }) => {
			const { output } = await openai().responses.create({
				model: plain,
				input: [
					{
						type: "additional_tools",
						role: "developer",
						tools: [
							{
								type: "function",
								name: "weather",
								parameters: {
									type: "object",
									properties: { city: { type: "string" } },
									required: ["city"],
									additionalProperties: false,
								},
								strict: true,
							},
						],
					},
					{ role: "user", content: 'The weather in "Zürich"' },
				],
			});
			expect(output).toMatchObject([
				{
					type: "function_call",
					name: "weather",
					arguments: '{"city":"Zürich"}',
				},
			]);
		},
	);

	it.each(vendors)(
		"the stream helpers tell of each piece from $plain",
		async ({ plain }) => {
			const pieces: string[] = [];
			await openai()
				.chat.completions.stream({
					model: plain,
					messages: [{ role: "user", content: "Owl" }],
				})
				.on("content", (piece) => pieces.push(piece))
				.done();
			expect(pieces.length).toBeGreaterThan(2);
			expect(pieces.join("")).toBe("You said: Owl. Grüße 👋");
			const words: string[] = [];
			await claude()
				.messages.stream({
					model: plain,
					max_tokens: 1_000,
					messages: [{ role: "user", content: "Owl" }],
				})
				.on("text", (piece) => words.push(piece))
				.done();
			expect(words).toEqual(pieces);
		},
	);
});

/** A mock of the vendors that others wrote: behaviours that we did not. */
describe.each(clients.map((connect) => ({ connect, ...connect(nowhere) })))(
	"$name, to aimock",
	({ connect }) => {
		let mock: LLMock;
		let own: TestStudio;
		let client: Client;
		beforeAll(async () => {
			mock = new LLMock({ port: 0 });
			const usage = { input_tokens: 100, output_tokens: 20 };
			mock.on(
				{ predicate: ({ messages }) => messages.at(-1)?.role === "tool" },
				{ content: "All is sunny ☀️", usage },
			);
			mock.onMessage("weather", {
				toolCalls: ["Zürich", "Genève"].map((city) => ({
					name: "weather",
					arguments: JSON.stringify({ city }),
				})),
				usage,
			});
			mock.onMessage("hello", { content: "Hi there! 👋", usage });
			mock.onMessage("broken", {
				error: { message: "Too much", type: "rate_limit_error" },
				status: 429,
			});
			await mock.start();
			own = await startStudio(`
retries: { attempts: 1 }
vendors:
  chat: { protocol: openai-chat, base: "${mock.url}/v1", key: k }
  responses: { protocol: openai-responses, base: "${mock.url}/v1", key: k }
  messages: { protocol: anthropic-messages, base: "${mock.url}/v1", key: k }
  gemini: { protocol: google-generate, base: "${mock.url}/v1beta", key: k }
  converse: { protocol: bedrock-converse, base: "${mock.url}", key: k }
prices:
  - { vendor: "*", model: "*", prices: { input: 1, output: 2 } }
models:
  at-chat: chat/gpt-4.1
  at-responses: responses/gpt-5.2
  at-messages: messages/claude-sonnet-4-6
  at-gemini: gemini/gemini-2.5-flash
  at-converse: converse/anthropic.claude-sonnet-4-6
`);
			client = connect({ url: own.url, key: await own.key() });
		});
		afterAll(async () => {
			await own.close();
			await mock.stop();
		});

		it.each(["chat", "responses", "messages", "gemini", "converse"])(
			"%s: text, streams, a loop of tools and an error",
			async (vendor) => {
				const model = `at-${vendor}`;
				const hello = { model, said: "hello" };
				expect((await client.ask(hello)).text).toBe("Hi there! 👋");
				expect((await client.stream(hello)).text).toBe("Hi there! 👋");
				const tools = { model, said: 'The weather in "Zürich" and "Genève"' };
				// The mock ends calls for a reason that Google does not have, and this SDK stops there.
				if (client.name !== "ai sdk google" || vendor !== "gemini") {
					expect((await client.loop(tools)).text).toBe("All is sunny ☀️");
					expect((await client.streamedLoop?.(tools))?.text).toBe(
						"All is sunny ☀️",
					);
				}
				// Last, as the vendor's key rests for a second after it.
				const fault = await client
					.ask({ model, said: "broken" })
					.catch((fault) => fault);
				expect(client.statusOf(fault), String(fault)).toBe(429);
			},
		);
	},
);
