import type { ServerResponse } from "node:http";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	goodAnswer,
	type RoutedVendors,
	row,
	startVendors,
} from "../support/routed.ts";
import { startStudio, type TestStudio } from "../support/studio.ts";
import { sendJson } from "../support/upstream.ts";

/** Vendors that fail, limit and dawdle, many callers at once, and answers given again: a whole Studio over real HTTP. */
let vendors: RoutedVendors;
let studio: TestStudio;

const twice = (model: string) => ({
	[`alpha/${model}`]: row("DE", { name: model }),
	[`beta/${model}`]: row("DE", { name: model }),
});

beforeAll(async () => {
	vendors = await startVendors({
		alpha: "openai-chat",
		beta: "openai-chat",
		gamma: "anthropic-messages",
	});
	const { key: _, ...alpha } = vendors.settings.alpha as { key: string };
	studio = await startStudio(
		JSON.stringify({
			limits: { calls: 3, queue: 6, queueWait: "600ms" },
			retries: { hedge: { after: "250ms", outputTokens: 32 } },
			vendors: {
				...vendors.settings,
				alpha: {
					...alpha,
					keys: [
						{ key: "alpha-key-one-123456", name: "one" },
						{ key: "alpha-key-two-123456", name: "two" },
					],
				},
			},
			prices: [
				{ vendor: "alpha", model: "*", prices: { input: 0.1, output: 0.2 } },
				{ vendor: "*", model: "*", prices: { input: 1, output: 2 } },
			],
			catalogue: {
				substrates: {
					...twice("hedged"),
					...twice("breaks"),
					"beta/alone": row("DE"),
					"gamma/claudish": row("US"),
				},
			},
		}),
		{ grant: 100_000_000_000 },
	);
	await studio.run({ type: "open-account", account: "greedy", name: "greedy" });
	await studio.run({ type: "grant", account: "greedy", amount: 1_000_000_000 });
});

afterAll(async () => {
	await studio.close();
	await vendors.close();
});

async function openai(options: Parameters<TestStudio["key"]>[0] = {}) {
	return new OpenAI({
		apiKey: await studio.key(options),
		baseURL: `${studio.url}/v1`,
		maxRetries: 0,
	});
}

function ask(
	client: OpenAI,
	model: string,
	asked: object = {},
	headers: Record<string, string> = {},
) {
	return client.chat.completions
		.create(
			{
				model,
				messages: [{ role: "user", content: "Say hello" }],
				max_tokens: 100,
				...asked,
			} as OpenAI.ChatCompletionCreateParamsNonStreaming,
			{ headers },
		)
		.withResponse();
}

const pause = (milliseconds: number) =>
	new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

const metrics = async () => (await fetch(`${studio.url}/metrics`)).text();

/** Of `breaks`, which an earlier one fails for. */
async function breaks() {
	const client = await openai();
	return {
		to: async () =>
			(await ask(client, "breaks")).response.headers.get("x-dos-substrate"),
		count: () => vendors.asked.filter((each) => each === "alpha/breaks").length,
	};
}
const open =
	/dos_breakers_open\{substrate="alpha\/breaks",class="overload"\} 1/;

describe("what fails again and again", () => {
	it("rests after a while, and is not asked any more", async () => {
		vendors.always.set("alpha/breaks", 503);
		const { to, count } = await breaks();
		for (let calls = 0; calls < 8; calls++)
			expect(await to()).toBe("beta/breaks");
		// Each call asked with both keys.
		expect(count()).toBe(6);
		expect(await metrics()).toMatch(open);
	});
});

describe("a vendor that asks for patience", () => {
	it("gets it, for as long as is worth waiting, and its word goes on to the client", async () => {
		const client = await openai();
		const busy = (after: string) => (response: ServerResponse) =>
			sendJson(response, 429, '{"error":{"message":"slow down","type":"x"}}', {
				"retry-after": after,
			});
		vendors.deeds.set("beta/alone", [busy("0.4")]);
		const began = performance.now();
		const { response } = await ask(client, "beta/alone");
		expect(response.status).toBe(200);
		expect(performance.now() - began).toBeGreaterThan(390);
		vendors.deeds.set("beta/alone", [busy("60")]);
		const refused = await ask(client, "beta/alone").catch((fault) => fault);
		expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
		expect(refused.headers.get("retry-after")).toBe("60");
		// Its key rests for this model: nobody is sent there to hear the same.
		const asked = vendors.asked.length;
		const again = await ask(client, "beta/alone").catch((fault) => fault);
		expect(again).toBeInstanceOf(OpenAI.RateLimitError);
		expect(again.code).toBe("vendor/rate-limited");
		expect(Number(again.headers.get("retry-after"))).toBeGreaterThan(55);
		expect(vendors.asked).toHaveLength(asked);
		await studio.settled();
		expect(studio.account().held).toBe(0);
	});
});

describe("a vendor with several keys", () => {
	it("is called with the good one when the other is bad", async () => {
		const client = await openai();
		const used: string[] = [];
		vendors.always.set("alpha/keyed", (response, { headers }) => {
			const key = String(headers.authorization).replace("Bearer ", "");
			used.push(key);
			return key.includes("one")
				? sendJson(response, 401, '{"error":{"message":"bad key"}}')
				: goodAnswer(response, "openai-chat", "ok", false);
		});
		for (let calls = 0; calls < 4; calls++)
			expect((await ask(client, "alpha/keyed")).response.status).toBe(200);
		expect(used.filter((key) => key.includes("one"))).toHaveLength(1);
		expect(await metrics()).toMatch(
			/dos_vendor_keys_resting\{[^}]*key="one"[^}]*\} 1/,
		);
		expect(studio.reports.join()).not.toContain("alpha-key");
	});
});

describe("a short call", () => {
	it("asks a second one when the first is slow, and the first to answer is paid", async () => {
		const client = await openai();
		vendors.deeds.set("alpha/hedged", [() => new Promise<void>(() => {})]);
		const before = studio.account().spent;
		const { response } = await ask(client, "hedged", { max_tokens: 20 });
		expect(response.headers.get("x-dos-substrate")).toBe("beta/hedged");
		await studio.settled();
		expect(studio.account()).toMatchObject({
			held: 0,
			spent: before + Number(response.headers.get("x-dos-credits")),
		});
		expect(await metrics()).toMatch(/dos_hedges_total\{vendor="beta"\} 1/);
	});
});

describe("the cache", () => {
	it("gives a like request the same answer for nothing, and its receipt says so", async () => {
		const secret = await studio.key();
		const keys = [...studio.ledger.head.state("credits").keys.values()];
		const id = keys.at(-1)?.id as string;
		const outcome = await studio.ledger.head.execute(
			"routing",
			{ type: "set-profile", of: "key", id, profile: { cache: 60_000 } },
			{ actor: "operator" },
		);
		expect(outcome.ok).toBe(true);
		const client = new Anthropic({
			apiKey: secret,
			baseURL: studio.url,
			maxRetries: 0,
		});
		const say = (headers: Record<string, string> = {}, content = "hi") =>
			client.messages
				.create(
					{
						model: "gamma/claudish",
						max_tokens: 50,
						messages: [{ role: "user", content }],
					},
					{ headers },
				)
				.withResponse();
		const first = await say();
		const firstCall = first.response.headers.get("x-dos-call-id");
		await pause(50);
		const second = await say();
		expect(second.data).toEqual(first.data);
		expect(second.response.headers.get("x-dos-cached-from")).toBe(firstCall);
		expect(second.response.headers.get("x-dos-credits")).toBe("0");
		const receipt = (await (
			await fetch(
				`${studio.url}/v1/receipts/${second.response.headers.get("x-dos-call-id")}`,
				{ headers: { "x-api-key": secret } },
			)
		).json()) as { charged: number; notes: readonly string[] };
		expect(receipt.charged).toBe(0);
		expect(receipt.notes.join()).toContain("Given out of the cache");
		// What goes on to the vendor beside the body is part of what is asked.
		const other = await say({ "anthropic-beta": "another-format-1" });
		expect(other.response.headers.get("x-dos-cached-from")).toBeNull();
		// Another key of the account that asks for no cache, and one that may not use what answered.
		const plain = new Anthropic({
			apiKey: await studio.key(),
			baseURL: studio.url,
			maxRetries: 0,
		});
		const { response } = await plain.messages
			.create({
				model: "gamma/claudish",
				max_tokens: 50,
				messages: [{ role: "user", content: "hi" }],
			})
			.withResponse();
		expect(response.headers.get("x-dos-cached-from")).toBeNull();
	});
});

describe("many at once", () => {
	it("takes turns by account: who comes with many waits, and is told when to come again", async () => {
		vendors.always.set("beta/slow", async (response) => {
			await pause(150);
			await goodAnswer(response, "openai-chat", "ok", false);
		});
		const greedy = await openai({ account: "greedy" });
		const modest = await openai();
		const order: string[] = [];
		const crowd = Array.from({ length: 30 }, () =>
			ask(greedy, "beta/slow").then(
				() => order.push("greedy"),
				(fault) => fault,
			),
		);
		await pause(40);
		const few = [1, 2].map(() =>
			ask(modest, "beta/slow").then(() => order.push("modest")),
		);
		await Promise.all(few);
		// Two turns of the gate at most stood before them.
		expect(order.filter((who) => who === "greedy").length).toBeLessThan(9);
		const shed = (await Promise.all(crowd)).filter(
			(outcome) => typeof outcome !== "number",
		);
		expect(shed.length).toBeGreaterThan(15);
		for (const fault of shed) {
			expect(fault).toBeInstanceOf(OpenAI.RateLimitError);
			expect(fault.code).toBe("rate/overloaded");
			expect(fault.headers.get("retry-after")).toBe("1");
		}
		const anthropic = new Anthropic({
			apiKey: greedy.apiKey,
			baseURL: studio.url,
			maxRetries: 0,
		});
		const outcomes = await Promise.all(
			Array.from({ length: 12 }, () =>
				anthropic.messages
					.create({
						model: "beta/slow",
						max_tokens: 50,
						messages: [{ role: "user", content: "hi" }],
					})
					.catch((fault: unknown) => fault),
			),
		);
		const refused = outcomes.find((one) => one instanceof Error) as unknown as {
			readonly status: number;
			readonly error: unknown;
			readonly headers: Headers;
		};
		expect(refused).toMatchObject({
			status: 429,
			error: { type: "error", error: { type: "rate_limit_error" } },
		});
		expect(refused.headers.get("retry-after")).toBe("1");
		await studio.settled();
		expect(await metrics()).toMatch(/dos_gate_calls 0/);
	});
});

describe("what has rested", () => {
	it("gets one call to try, and its calls again once that went well", async () => {
		vendors.always.delete("alpha/breaks");
		const { to, count } = await breaks();
		const before = count();
		while (count() === before) {
			await pause(250);
			await to();
		}
		await pause(1_100);
		expect(await metrics()).not.toMatch(open);
		expect(await to()).toBe("alpha/breaks");
	});
});
