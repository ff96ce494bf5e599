import {
	afterAll,
	afterEach,
	beforeAll,
	beforeEach,
	describe,
	expect,
	it,
} from "vitest";
import type { Receipt } from "../../src/contexts/gateway/index.ts";
import { otherClients, vendorClients } from "../support/clients/all.ts";
import { openaiChat } from "../support/clients/openai.ts";
import { openCommands, row } from "../support/routed.ts";
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
 * A vendor's connection is cut in the middle of a stream, and another vendor goes on with it: the SDKs as their users
 * use them, over the real gateway, to vendors that take what their documents say and nothing else.
 */

const vendors = [
	{ id: "chat", protocol: "openai-chat", wire: chat, base: "/v1" },
	{
		id: "responses",
		protocol: "openai-responses",
		wire: responses,
		base: "/v1",
	},
	{
		id: "messages",
		protocol: "anthropic-messages",
		wire: messages,
		base: "/v1",
	},
	{ id: "gemini", protocol: "google-generate", wire: gemini, base: "/v1beta" },
] as const;
const nowhere = { url: "http://127.0.0.1:9", key: "none" };
/** Who begins, and who goes on. */
const pairs = vendors.flatMap(({ id: one }) =>
	vendors.filter(({ id }) => id !== one).map(({ id: other }) => [one, other]),
) as readonly (readonly [string, string])[];

/** Each client has models of its own: what broke off for another has a worse name since. */
const models = [
	...vendorClients.map((_, of) => of),
	...otherClients.map((_, of) => `o${of}`),
	"told",
].flatMap((of) =>
	pairs.map(([one, other]) => ({ one, other, model: nameOf(of, one, other) })),
);
function nameOf(of: number | string, one: string, other: string): string {
	return `${of}-${one}-${other}`;
}

const simulations = new Map<string, Simulation>();
let studio: TestStudio;
let key: string;
let run: ReturnType<typeof openCommands>["run"];
/** What went over the wire to the client of the test that runs. */
let call: string | undefined;
let heard: Promise<string> | undefined;
const realFetch = globalThis.fetch;

beforeAll(async () => {
	for (const { id, wire } of vendors)
		simulations.set(id, await startSimulation(wire));
	studio = await startStudio(
		JSON.stringify({
			retries: { attempts: 1 },
			vendors: Object.fromEntries(
				vendors.map(({ id, protocol, base }) => [
					id,
					{ protocol, base: `${simulations.get(id)?.url}${base}`, key: "k" },
				]),
			),
			// Who begins is the cheaper.
			prices: models.flatMap(({ one, other, model }) => [
				{
					vendor: one,
					model,
					prices: { input: 1, output: 2 },
				},
				{
					vendor: other,
					model,
					prices: { input: 7, output: 13 },
				},
			]),
			catalogue: {
				substrates: Object.fromEntries(
					models.flatMap(({ one, other, model }) =>
						[one, other].map((vendor) => [
							`${vendor}/${model}`,
							row("DE", { name: model }),
						]),
					),
				),
			},
		}),
	);
	({ run } = openCommands({ home: studio.home.folder }));
	key = await studio.key();
	globalThis.fetch = async (url, init) => {
		const headers = new Headers(init?.headers);
		headers.set("x-dos-resume", "continue");
		const answer = await realFetch(url, { ...init, headers });
		call = answer.headers.get("x-dos-call-id") ?? undefined;
		// A client that gets an error lets go of the rest.
		heard = answer
			.clone()
			.text()
			.catch(() => "");
		return answer;
	};
});
afterAll(async () => {
	globalThis.fetch = realFetch;
	await studio.close();
	for (const simulation of simulations.values()) await simulation.close();
});
beforeEach(() => {
	for (const { refused } of simulations.values()) refused.length = 0;
});
afterEach(() => {
	for (const { refused } of simulations.values()) expect(refused).toEqual([]);
	expect(studio.reports).toEqual([]);
});

async function receiptOf(id: string | undefined): Promise<Receipt> {
	await studio.settled();
	const answer = await realFetch(`${studio.url}/v1/receipts/${id}`, {
		headers: { authorization: `Bearer ${key}` },
	});
	return (await answer.json()) as Receipt;
}

/** A comment, but for Google's clients, who cannot read one. */
const marked = /dos\W+continuation\W+after\W+(\d+)\W+substrate\W+?([\w/-]+)/;
const said = "Please break off, Zürich 🌍";
const whole = `You said: ${said}. Grüße 👋`;

describe.each(
	vendorClients.map((connect, of) => ({ connect, of, ...connect(nowhere) })),
)("$name", ({ connect, can, of, protocol }) => {
	// Every other one: more than fifty in ten seconds is more than the budget of retries.
	it.each(pairs.filter((_, at) => (at + of) % 2 === 0))(
		"hears %s, and then %s, as one answer",
		async (one, other) => {
			const model = nameOf(of, one, other);
			const before = studio.account().spent;
			const client = connect({ url: studio.url, key });
			const told = await client.stream({ model, said });

			const wire = await heard;
			const mark = marked.exec(wire ?? "");
			expect(mark?.[2]).toBe(`${other}/${model}`);
			const begun = [...whole].slice(0, Number(mark?.[1])).join("");
			expect(begun.length).toBeGreaterThan(0);
			expect(told.text.startsWith(begun)).toBe(true);
			// The second was shown the first's part, and asked to go on.
			expect(told.text.slice(begun.length)).toMatch(
				/^You said: Your last message was cut off .* Turn 2\. Grüße 👋$/,
			);

			const { charged, ending, parts = [], attempts } = await receiptOf(call);
			expect(ending).toBe("finished");
			expect(attempts?.map(([asked, became]) => [asked, became])).toEqual([
				[`${one}/${model}`, "broke-off"],
				[`${other}/${model}`, "ok"],
			]);
			expect(parts).toMatchObject([
				{ substrate: `${one}/${model}`, after: 0 },
				{
					substrate: `${other}/${model}`,
					after: Number(mark?.[1]),
					basis: "priced",
				},
			]);
			const sum = parts.reduce((total, { cost }) => total + cost, 0);
			expect(charged).toBe(sum);
			for (const { cost, lines } of parts) {
				const exact = lines.reduce(
					(total, { units, price }) => total + BigInt(units) * BigInt(price),
					0n,
				);
				expect(BigInt(cost)).toBe((exact + 999_999n) / 1_000_000n);
			}
			expect(studio.account().spent - before).toBe(sum);
			const used = (...classes: string[]) =>
				parts
					.flatMap(({ lines }) => lines)
					.filter((line) => classes.includes(line.class))
					.reduce((total, { units }) => total + units, 0);
			if (can.has("stream-usage"))
				expect(told.usage).toMatchObject({
					input: used("input", "cache-read"),
					output: used("output", "reasoning"),
				});
		},
	);

	it("hears one that does not break as ever", async () => {
		const client = connect({ url: studio.url, key });
		const told = await client.stream({
			model: nameOf(of, "chat", "gemini"),
			said: "Hello",
		});
		expect(told.text).toBe("You said: Hello. Grüße 👋");
		expect(await heard).not.toMatch(marked);
		expect(await receiptOf(call)).not.toHaveProperty("parts");
	});

	// Google's clients are told of a call when it is whole: half a one has not reached them.
	it.runIf(protocol !== "google-generate")(
		"gets an error where a tool call was begun",
		async () => {
			const client = connect({ url: studio.url, key });
			const asked = client.streamedLoop?.({
				model: nameOf(of, "chat", "gemini"),
				said: 'break off within "Zürich"',
			});
			await expect(asked).rejects.toThrow();
			const { notes, parts } = await receiptOf(call);
			expect(parts).toBeUndefined();
			expect(notes?.join()).toContain("Nobody went on with it");
		},
	);
});

it.each(
	otherClients.map((connect, of) => ({
		connect,
		of: `o${of}`,
		...connect(nowhere),
	})),
)("$name hears two as one as well", async ({ connect, of }) => {
	const client = connect({ url: studio.url, key });
	const model = nameOf(of, "chat", "messages");
	const told = await client.stream({ model, said });
	expect(await heard).toMatch(marked);
	expect(told.text).toMatch(/^You said: .*You said: Your last message .*👋$/);
});

it("is stored whole as a response that later ones go on from", async () => {
	const model = "told-responses-gemini";
	const ask = (body: object) =>
		fetch(`${studio.url}/v1/responses`, {
			method: "POST",
			headers: { authorization: `Bearer ${key}` },
			body: JSON.stringify({ model, ...body }),
		});
	const told = await (await ask({ stream: true, input: said })).text();
	expect(told).toMatch(marked);
	const completed = JSON.parse(
		/event: response\.completed\ndata: (.*)\n/.exec(told)?.[1] ?? "",
	).response;
	const text = completed.output[0].content[0].text;
	expect(text).toMatch(/^You said: .*You said: Your last message .*👋$/);
	const shown = await fetch(`${studio.url}/v1/responses/${completed.id}`, {
		headers: { authorization: `Bearer ${key}` },
	});
	expect(await shown.json()).toMatchObject({
		output: [{ content: [{ text }] }],
	});
	const later = await ask({
		model: "told-chat-gemini",
		previous_response_id: completed.id,
		input: "And?",
	});
	expect(later.status).toBe(200);
	const sent = [...simulations.values()]
		.flatMap(({ received }) => received)
		.filter(({ body }) => body.includes("And?"));
	expect(JSON.stringify(JSON.parse(sent[0]?.body ?? ""))).toContain(
		JSON.stringify(text).slice(1, -1),
	);
});

it("is explained, replayed and verified as it went", async () => {
	const client = openaiChat({ url: studio.url, key });
	await client.stream({ model: "told-messages-chat", said });
	await studio.settled();
	const explained = await run("route", "explain", call as string);
	expect(explained.out).toMatch(
		/Attempt 1: messages\/told-messages-chat, broke-off after/,
	);
	expect(explained.out).toMatch(
		/Attempt 2: chat\/told-messages-chat, ok after/,
	);
	expect(explained.out.replace(/\s+/g, " ")).toMatch(
		/It was answered in parts \(finished\): by messages\/told-messages-chat for .*, from character \d+ on by chat\/told-messages-chat for .*\. It cost/,
	);
	const replayed = await run("audit", "replay", "--json");
	expect(replayed.code).toBe(0);
	expect(JSON.parse(replayed.out)).toMatchObject({ departures: [] });
	const verified = await run("audit", "verify", "--json");
	expect(verified.code).toBe(0);
});
