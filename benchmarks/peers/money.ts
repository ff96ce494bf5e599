import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startUpstream, type Upstream } from "../../test/support/upstream.ts";
import { difference, streamDifference } from "../lib/fidelity.ts";
import type { Ability, Peer, RunningPeer } from "./peer.ts";
import {
	answerChat,
	answerMessage,
	chatFrame,
	chatRequest,
	costOf,
	messagesRequest,
	type TrueUsage,
	words,
} from "./vendor.ts";

/**
 * `kept` or `broken` is what was seen; `none`: it does not claim to do this, so there is nothing to
 * break; `unknown`: it could not be tested here.
 */
export interface Verdict {
	readonly test: string;
	readonly outcome: "kept" | "broken" | "none" | "unknown";
	/** What was seen, in a sentence. */
	readonly detail: string;
}

type Seen = Omit<Verdict, "test">;

interface MoneyTest {
	readonly name: string;
	/** What a gateway must be able to do for this to be asked of it. */
	readonly needs?: (peer: Peer) => Ability | undefined;
	/** US dollars the caller may spend. */
	readonly budget?: number;
	see(bench: Bench): Promise<Seen>;
}

/** What a test works with: a gateway that runs, the upstream behind it, a client before it. */
interface Bench {
	readonly peer: Peer;
	readonly upstream: Upstream;
	gateway(): RunningPeer;
	/** Kills the gateway and starts it again on what it kept. */
	crash(): Promise<void>;
	post(body: string, options?: PostOptions): Promise<Response>;
	/** A client left in mid-stream, once for the tests that look at it. */
	left(): Promise<Left>;
}

interface Left {
	readonly told: Seen;
	readonly billed: Seen;
}

interface PostOptions {
	readonly path?: string;
	readonly signal?: AbortSignal;
}

/** A call as the tests of caps make it: small, its prompt and answer counted as they are. */
const small: TrueUsage = { input: 108, output: 100 };
const smallRequest = (maxTokens: number) =>
	chatRequest({ prompt: words(100), maxTokens });
const paidCalls = 20;
const fairHold = costOf({ ...small, output: 2 * small.output });

const tests: readonly MoneyTest[] = [
	{
		name: "Ten times the budget in parallel is not overspent",
		needs: ({ money }) => money?.budget,
		budget: paidCalls * costOf(small),
		see: overspend,
	},
	{
		name: "What the budget covers is not refused",
		needs: ({ money }) => money?.budget,
		budget: 30 * costOf(small) + 8 * fairHold,
		see: falseRefusals,
	},
	{
		name: "A client that leaves in mid-stream: the upstream is told",
		see: async (bench) => (await bench.left()).told,
	},
	{
		name: "A client that leaves in mid-stream: what was delivered is billed",
		needs: ({ money }) => money?.spend,
		see: async (bench) => (await bench.left()).billed,
	},
	{
		name: "Settled is what the upstream counted, in every class",
		needs: ({ money }) => money?.spend,
		see: settledIsTrue,
	},
	{
		name: "kill -9 under load: settled spend is there after the restart",
		needs: ({ money }) => money?.durable,
		see: crash,
	},
	{ name: "The request arrives byte for byte", see: requestExact },
	{ name: "The answer arrives byte for byte", see: answerExact },
	{ name: "The stream arrives byte for byte", see: streamExact },
];

/** The names of the tests, in the order they are told. */
export const moneyTests: readonly string[] = tests.map(({ name }) => name);

/** Puts every money test to a gateway. What cannot be carried out is said, and the next one follows. */
export async function testMoney(peer: Peer): Promise<readonly Verdict[]> {
	const verdicts: Verdict[] = [];
	const shared = tests.filter(({ budget }) => budget === undefined);
	const alone = tests.filter(({ budget }) => budget !== undefined);
	for (const group of [...alone.map((test) => [test]), shared])
		verdicts.push(...(await inOne(peer, group)));
	return moneyTests.flatMap((name) =>
		verdicts.filter(({ test }) => test === name),
	);
}

/** Tests that can share a gateway: the first one's budget is its budget. */
async function inOne(
	peer: Peer,
	group: readonly MoneyTest[],
): Promise<readonly Verdict[]> {
	const none: Verdict[] = [];
	const asked: MoneyTest[] = [];
	for (const test of group) {
		const able = test.needs?.(peer) ?? true;
		if (able === true) asked.push(test);
		else
			none.push({
				test: test.name,
				outcome: "none" in able ? "none" : "unknown",
				detail: "none" in able ? able.none : able.untested,
			});
	}
	if (asked.length === 0) return none;
	const verdicts: Verdict[] = [];
	const folder = mkdtempSync(join(tmpdir(), "dos-bench-money-"));
	const upstream = await startUpstream(() => {});
	const upstreamPort = Number(new URL(upstream.url).port);
	const budget = asked[0]?.budget;
	const start = () =>
		peer.start({
			upstreamPort,
			folder,
			money: budget === undefined ? {} : { budget },
		});
	let running: RunningPeer | undefined;
	let left: Promise<Left> | undefined;
	try {
		running = await start();
		const bench: Bench = {
			peer,
			upstream,
			gateway: () => running as RunningPeer,
			async crash() {
				await running?.kill();
				running = await start();
			},
			left() {
				left ??= leave(bench);
				return left;
			},
			post(body, { path = "/v1/chat/completions", signal } = {}) {
				const { port, base = "", headers } = running as RunningPeer;
				return fetch(`http://127.0.0.1:${port}${base}${path}`, {
					method: "POST",
					headers: { "content-type": "application/json", ...headers },
					body,
					signal: signal ?? AbortSignal.timeout(30_000),
				});
			},
		};
		for (const test of asked)
			verdicts.push({ test: test.name, ...(await attempt(test, bench)) });
	} catch (fault) {
		for (const test of asked.slice(verdicts.length))
			verdicts.push({ test: test.name, ...unknown(fault) });
	} finally {
		await running?.stop();
		await upstream.close();
		rmSync(folder, { recursive: true, force: true });
	}
	return [...none, ...verdicts];
}

async function attempt(test: MoneyTest, bench: Bench): Promise<Seen> {
	try {
		bench.upstream.received.length = 0;
		return await test.see(bench);
	} catch (fault) {
		return unknown(fault);
	}
}

function unknown(fault: unknown): Seen {
	const detail = fault instanceof Error ? fault.message : String(fault);
	return { outcome: "unknown", detail: detail.slice(0, 200) };
}

async function overspend(bench: Bench): Promise<Seen> {
	const { upstream } = bench;
	answersAfter(upstream, 50);
	const asked = 10 * paidCalls;
	const body = smallRequest(small.output);
	await Promise.all(
		Array.from({ length: asked }, async () => (await bench.post(body)).text()),
	);
	const burst = upstream.received.length;
	// Does the budget hold at least once the spend is known?
	await sleep(1_000);
	for (let call = 0; call < 5; call++) await (await bench.post(body)).text();
	const later = upstream.received.length - burst;
	const times = (burst + later) / paidCalls;
	return {
		outcome: times <= 1 ? "kept" : "broken",
		detail: `Of ${asked} calls at once on a budget for ${paidCalls}, ${burst} were forwarded${later > 0 ? `, and ${later} of 5 a second later` : ""}: ${round(times)} times the budget.`,
	};
}

/** Thirty calls by eight clients: their true spend and a fair hold for each client fit the budget. */
async function falseRefusals(bench: Bench): Promise<Seen> {
	answersAfter(bench.upstream, 20);
	let next = 0;
	const refused: number[] = [];
	await Promise.all(
		Array.from({ length: 8 }, async () => {
			while (next++ < 30) {
				const response = await bench.post(smallRequest(2 * small.output));
				await response.text();
				if (response.status !== 200) refused.push(response.status);
			}
		}),
	);
	return {
		outcome: refused.length === 0 ? "kept" : "broken",
		detail:
			refused.length === 0
				? "30 of 30 calls passed, by eight clients at once."
				: `${refused.length} of 30 calls were refused (${[...new Set(refused)].join(", ")}).`,
	};
}

/** One class at a time is made large, so that none can hide behind another. */
const chatClasses = {
	input: { input: 9_000, output: 10 },
	"cached input": { input: 100, cacheRead: 9_000, output: 10 },
	output: { input: 100, output: 3_000 },
	reasoning: { input: 100, output: 3_100, reasoning: 3_000 },
} satisfies Record<string, TrueUsage>;

const messagesClasses = {
	"cached input": { input: 100, cacheRead: 9_000, output: 10 },
	"cache write": { input: 100, cacheWrite: 9_000, output: 10 },
} satisfies Record<string, TrueUsage>;

async function settledIsTrue(bench: Bench): Promise<Seen> {
	const wrong: string[] = [];
	let cases = 0;
	for (const stream of [false, true]) {
		for (const [name, usage] of Object.entries(chatClasses))
			await settle(name, usage, stream, false);
		if (bench.peer.money?.messages === true)
			for (const [name, usage] of Object.entries(messagesClasses))
				await settle(`${name} (Messages)`, usage, stream, true);
	}
	return {
		outcome: wrong.length === 0 ? "kept" : "broken",
		detail:
			wrong.length === 0
				? `${cases} of ${cases} calls exact: input, cached, cache write, output and reasoning, plain and streamed.`
				: `${wrong.length} of ${cases} calls wrong: ${wrong.slice(0, 4).join("; ")}.`,
	};

	async function settle(
		name: string,
		usage: TrueUsage,
		stream: boolean,
		messages: boolean,
	): Promise<void> {
		cases++;
		bench.upstream.answer = (_, response) =>
			messages
				? answerMessage(response, usage, stream)
				: answerChat(response, usage, stream);
		const before = await spentBy(bench);
		const response = await bench.post(
			messages
				? messagesRequest(stream, 4_000)
				: chatRequest({ prompt: "hi", maxTokens: 4_000, stream }),
			messages ? { path: "/v1/messages" } : {},
		);
		await response.text();
		const settled = await settledAfter(bench, before);
		const truth = costOf(usage);
		// A micro-credit is 1e-8 dollars; half of one more for sums of floats.
		if (Math.abs(settled - truth) > 1.5e-8)
			wrong.push(
				`${name}${stream ? " in a stream" : ""} $${money(settled)} for $${money(truth)}${response.status === 200 ? "" : ` (status ${response.status})`}`,
			);
	}
}

/** A client takes a hundred pieces of a long stream and leaves. */
async function leave(bench: Bench): Promise<Left> {
	const { upstream } = bench;
	let sent = 0;
	let cancelledAt: number | undefined;
	upstream.answer = async ({ cancelled }, response) => {
		void cancelled.then(() => {
			cancelledAt = performance.now();
		});
		response.writeHead(200, { "content-type": "text/event-stream" });
		response.write(chatFrame({ role: "assistant", content: "" }, null));
		for (; sent < 800 && !response.destroyed; sent++) {
			response.write(chatFrame({ content: " word" }, null));
			await sleep(5);
		}
		response.end();
	};
	const before = bench.peer.money?.spend === true ? await spentBy(bench) : 0;
	const abort = new AbortController();
	const response = await bench.post(
		chatRequest({ prompt: words(50), maxTokens: 1_000, stream: true }),
		{ signal: abort.signal },
	);
	let delivered = 0;
	const decoder = new TextDecoder();
	for await (const bytes of response.body ?? []) {
		delivered += decoder.decode(bytes).split('" word"').length - 1;
		if (delivered >= 100) break;
	}
	abort.abort();
	const left = performance.now();
	await until(() => cancelledAt !== undefined, 3_000);
	const told: Seen =
		cancelledAt === undefined
			? {
					outcome: "broken",
					detail: `The upstream was not told within 3 s, and generated ${sent} pieces, of which the client took ${delivered}.`,
				}
			: {
					outcome: "kept",
					detail: `Told after ${Math.max(0, cancelledAt - left).toFixed(0)} ms: ${sent} pieces generated, ${delivered} taken.`,
				};
	if (bench.peer.money?.spend !== true)
		return { told, billed: { outcome: "none", detail: "" } };
	const billed = await settledAfter(bench, before);
	const fair = costOf({ input: 58, output: delivered });
	return {
		told,
		billed: {
			outcome: billed > fair / 2 && billed < fair * 2 ? "kept" : "broken",
			detail: `$${money(billed)} billed; ${delivered} pieces and their prompt are $${money(fair)} (kept: within half and double, as it must be estimated).`,
		},
	};
}

/** Sixteen clients call for a second; the gateway is killed among their calls. */
async function crash(bench: Bench): Promise<Seen> {
	answersAfter(bench.upstream, 20);
	const before = await spentBy(bench);
	let answered = 0;
	const until = performance.now() + 1_000;
	const clients = Array.from({ length: 16 }, async () => {
		try {
			for (;;) {
				const response = await bench.post(smallRequest(small.output));
				await response.text();
				if (response.status === 200) answered++;
			}
		} catch {
			// The gateway is gone.
		}
	});
	await sleep(until - performance.now());
	const restarted = bench.crash();
	await Promise.all(clients);
	const forwarded = bench.upstream.received.length;
	await restarted;
	await sleep(300);
	const spent = ((await spentBy(bench)) - before) / costOf(small);
	const kept = spent > answered - 0.01 && spent < forwarded + 0.01;
	return {
		outcome: kept ? "kept" : "broken",
		detail: `${answered} calls were answered and ${forwarded} forwarded before the crash; after the restart ${round(spent)} are accounted for.`,
	};
}

/** Unknown fields, unusual order, numbers and escapes that another writer would write otherwise. */
const oddRequest =
	'{ "temperature" : 0.70,"x_unknown":{"b":1e2,"a":[1.0,-0.0,12345678901234567890]},\n"messages":[{"content":"caf\\u00e9 \\ud83d\\ude00 \\/","role":"user","x_note":null}],"max_tokens":16,"model":"gpt-4o-mini"}';
const oddAnswer =
	'{"model":"gpt-4o-mini","id":"odd","x_unknown": {"b":1e2,"a":[1.0,0.10]},"object":"chat.completion","created":1760000000,"choices":[{"finish_reason":"stop","index":0,"message":{"content":"caf\\u00e9 \\/","role":"assistant","x_signature":"abc=="},"x_score":0.50}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"x_tier":"z"}}';
const oddStream = [
	'data: {"id":"odd","object":"chat.completion.chunk","created":1760000000,"model":"gpt-4o-mini","choices":[{"delta":{"role":"assistant","content":"caf\\u00e9","x_signature":"abc=="},"index":0,"finish_reason":null}],"x_unknown":1.0}\n\n',
	'data: {"id":"odd","object":"chat.completion.chunk","created":1760000000,"model":"gpt-4o-mini","choices":[{"delta":{},"index":0,"finish_reason":"stop"}]}\n\n',
	'data: {"id":"odd","object":"chat.completion.chunk","created":1760000000,"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}\n\n',
	"data: [DONE]\n\n",
].join("");

async function requestExact(bench: Bench): Promise<Seen> {
	answersAfter(bench.upstream, 0);
	await (await bench.post(oddRequest)).text();
	return exactness(
		difference(oddRequest, bench.upstream.received[0]?.body ?? ""),
	);
}

async function answerExact(bench: Bench): Promise<Seen> {
	bench.upstream.answer = (_, response) => {
		response.writeHead(200, { "content-type": "application/json" });
		response.end(oddAnswer);
	};
	const answer = await bench.post(smallRequest(16));
	return exactness(difference(oddAnswer, await answer.text()));
}

async function streamExact(bench: Bench): Promise<Seen> {
	bench.upstream.answer = (_, response) => {
		response.writeHead(200, { "content-type": "text/event-stream" });
		response.end(oddStream);
	};
	const answer = await bench.post(
		chatRequest({ prompt: "hi", maxTokens: 16, stream: true }),
	);
	return exactness(streamDifference(oddStream, await answer.text()));
}

function exactness(difference: string | undefined): Seen {
	return difference === undefined
		? { outcome: "kept", detail: "Every byte." }
		: { outcome: "broken", detail: `Not the same: ${difference}.` };
}

function answersAfter(upstream: Upstream, milliseconds: number): void {
	upstream.answer = async (_, response) => {
		await sleep(milliseconds);
		return answerChat(response, small, false);
	};
}

async function spentBy(bench: Bench): Promise<number> {
	return (await bench.gateway().spent?.()) ?? Number.NaN;
}

/** What was added to the spend; a gateway that counts afterwards is given two seconds. */
async function settledAfter(bench: Bench, before: number): Promise<number> {
	let spent = before;
	for (let tries = 0; tries < 40 && spent === before; tries++) {
		await sleep(50);
		spent = await spentBy(bench);
	}
	await sleep(50);
	return (await spentBy(bench)) - before;
}

async function until(
	condition: () => boolean,
	milliseconds: number,
): Promise<void> {
	const end = performance.now() + milliseconds;
	while (!condition() && performance.now() < end) await sleep(5);
}

function sleep(milliseconds: number): Promise<void> {
	return new Promise((resolve) =>
		setTimeout(resolve, Math.max(0, milliseconds)),
	);
}

function round(value: number): string {
	return Number(value.toFixed(2)).toString();
}

function money(value: number): string {
	return value.toFixed(6);
}
