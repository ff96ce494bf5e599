import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runCli } from "../../src/apps/cli/program.ts";
import { findHome } from "../../src/apps/home.ts";
import { withLedger } from "../../src/apps/ledger.ts";
import { findRun, readCalls } from "../../src/contexts/learning/index.ts";
import { readBooks } from "../support/books.ts";
import { mockVendor } from "../support/studio.ts";
import {
	chatAnswer,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";
import { type Dos, type Ended, openDos } from "./dos.ts";

const example = fileURLToPath(
	new URL("../../examples/bakeoff/loopback.yaml", import.meta.url),
);

let upstream: Upstream;
let dos: Dos;
let suite: string;

beforeEach(async () => {
	upstream = await startUpstream(async ({ body }, response) => {
		const { model } = JSON.parse(body) as { model: string };
		await new Promise((resolve) => setTimeout(resolve, 15));
		sendJson(
			response,
			200,
			chatAnswer(model === "right" ? "Paris" : "Rome", {
				prompt: 100,
				completion: 50,
			}),
		);
	});
	dos = openDos();
	mkdirSync(dos.home, { recursive: true });
	writeFileSync(join(dos.home, "config.yaml"), mockVendor(upstream.url));
	suite = join(dos.home, "suite.yaml");
	const cases = Array.from(
		{ length: 8 },
		(_, at) =>
			`  - { id: c${at}, prompt: "Which city, ${at}?", checks: [{ equals: Paris }] }`,
	);
	writeFileSync(
		suite,
		`suite: cities\ncallType: chat\nmaxTokens: 100\ncases:\n${cases.join("\n")}\n`,
	);
	await json("init");
});

afterEach(async () => {
	await dos.close();
	await upstream.close();
});

const over = ["--over", "mock/right,mock/wrong"];
/** 100 tokens in and 50 out. */
const price = 20_000;

/** Runs a command in this process, which is quicker: only what is killed needs one of its own. */
async function cli(
	...words: readonly string[]
): Promise<Pick<Ended, "code" | "out" | "error">> {
	const said = { out: "", error: "" };
	const [out, error] = (["out", "error"] as const).map((name) => {
		const stream = new PassThrough({ encoding: "utf8" });
		stream.on("data", (text: string) => {
			said[name] += text;
		});
		return stream as unknown as NodeJS.WriteStream;
	}) as [NodeJS.WriteStream, NodeJS.WriteStream];
	const code = await runCli(words, {
		version: "test",
		environment: { DOS_HOME: dos.home },
		streams: {
			out,
			error,
			in: new PassThrough() as unknown as NodeJS.ReadStream,
		},
	});
	await new Promise((resolve) => setImmediate(resolve));
	return { code, ...said };
}

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is what the test looks at.
async function json(...words: readonly string[]): Promise<any> {
	const { code, out, error } = await cli(...words, "--json");
	if (code !== 0)
		throw new Error(`dos ${words.join(" ")} ended with ${code}: ${error}`);
	return JSON.parse(out);
}

/** What the log says: places of samples, settled calls, holds that stand open. */
async function look(): Promise<{
	readonly samples: readonly string[];
	readonly settled: number;
	readonly held: number;
}> {
	const { resolved, findings, holds } = await readBooks(dos.home);
	expect(findings).toEqual([]);
	const endings = [...resolved.values()].flat();
	const run = await withLedger(findHome({}, dos.home), ({ log }) =>
		findRun(log, undefined),
	);
	if (!run.ok) throw new Error(run.error.message);
	return {
		samples: run.value.recorded.map(
			(one) => `${one.case} ${one.substrate} ${one.sample}`,
		),
		settled: endings.filter(({ type }) => type === "credits-settled").length,
		held: holds,
	};
}

async function begun(calls: number): Promise<void> {
	const enough = upstream.received.length + calls;
	while (upstream.received.length < enough)
		await new Promise((resolve) => setTimeout(resolve, 5));
}

it("runs, reports and proposes; the second go of the same begins another run", async () => {
	const ran = await json("bakeoff", "run", suite, ...over);
	expect(ran).toMatchObject({
		suite: "cities",
		recorded: 48,
		planned: 48,
		cost: 48 * price,
		rows: [
			{ substrate: "mock/right", passed: 24, costPerSuccess: price },
			{ substrate: "mock/wrong", passed: 0 },
		],
		differences: [{ better: "mock/right", significant: true }],
		lacking: [],
	});
	expect(upstream.received).toHaveLength(48);
	for (const { body } of upstream.received) expect(body).not.toContain('"dos"');
	const { keys } = await json("key", "list", "--all");
	expect(
		keys.find((key: { name: string }) => key.name === "bakeoff cities"),
	).toMatchObject({ spent: 48 * price, revoked: expect.any(Number) });

	const config = join(dos.home, "config.yaml");
	const before = readFileSync(config, "utf8");
	const proposed = await json("bakeoff", "propose");
	expect(proposed).toMatchObject({
		written: false,
		proposals: [
			{ row: { callTypes: ["chat"], prefer: [{ substrate: ["mock/right"] }] } },
		],
	});
	expect(readFileSync(config, "utf8")).toBe(before);
	await json("bakeoff", "propose", "--write");
	expect(readFileSync(config, "utf8")).toContain(
		"prefer: [{substrate: [mock/right]}]",
	);
	expect((await json("bakeoff", "propose", "--write")).diff).toBe("");

	await json("bakeoff", "run", suite, ...over, "--samples", "1");
	const { runs } = await json("bakeoff", "list");
	expect(runs).toMatchObject([
		{ recorded: 16 },
		{ run: ran.run, recorded: 48 },
	]);
	const lines = (await cli("bakeoff", "report", "--format", "csv")).out.split(
		"\r\n",
	);
	expect(lines).toHaveLength(4);
	expect(lines[1]).toMatch(/^chat,mock\/right,8,0,8,8,8,0,1\.0000,/);
});

describe.each([
	["in a process of its own", false],
	["beside a server", true],
])("%s", (_, serving) => {
	it("killed in the middle, it goes on: no sample is paid twice and none is missing", async () => {
		if (serving) await dos.serve();
		for (const calls of serving ? [9] : [6, 9]) {
			const running = begun(calls);
			const child = dos.launch("bakeoff", "run", suite, ...over);
			await running;
			child.process.kill("SIGKILL");
			await child.ended;
		}
		const ended = await cli("bakeoff", "run", suite, ...over);
		expect([ended.code, ended.error]).toEqual([
			0,
			expect.stringContaining("Goes on with the run"),
		]);
		const { samples, settled, held } = await look();
		expect(samples).toHaveLength(48);
		expect(new Set(samples).size).toBe(48);
		expect(held).toBe(0);
		// What a killed client was still waiting for is paid as far as it had come, and not asked again.
		expect(settled).toBeLessThanOrEqual(48);
		if (!serving) expect(settled).toBe(48);
	}, 60_000);
});

it("keeps to its budget with many calls at a time, and goes on with a larger one", async () => {
	const at = ["--concurrency", "16"];
	const short = await cli(
		"bakeoff",
		"run",
		suite,
		...over,
		...at,
		"--budget",
		"0.31",
		"--json",
	);
	expect(short.code).toBe(1);
	const { error } = JSON.parse(short.error);
	expect(error).toMatchObject({
		code: "bakeoff/budget-spent",
		details: { cost: expect.any(Number), planned: 48 },
	});
	expect(error.details.cost).toBeLessThanOrEqual(310_000);
	expect(error.details.cost).toBeGreaterThan(250_000);
	const { keys } = await json("key", "list");
	const key = keys.find(
		(one: { name: string }) => one.name === "bakeoff cities",
	);
	expect(key).toMatchObject({ spent: error.details.cost, held: 0 });
	expect(await json("bakeoff", "run", suite, ...over, ...at)).toMatchObject({
		run: error.details.run,
		recorded: 48,
		cost: 48 * price,
	});
}, 60_000);

it("Ctrl-C lets what is under way finish, and the same command goes on", async () => {
	const running = begun(6);
	const child = dos.launch("bakeoff", "run", suite, ...over);
	await running;
	child.process.kill("SIGINT");
	const { code, error } = await child.ended;
	expect([code, error]).toEqual([
		130,
		expect.stringContaining("the same command goes on with it"),
	]);
	const asked = upstream.received.length;
	expect(asked).toBeLessThan(48);
	expect((await look()).settled).toBe(asked);
	expect((await json("bakeoff", "run", suite, ...over)).recorded).toBe(48);
	expect(upstream.received).toHaveLength(48);
});

it("refuses before anything is asked what cannot come to an end", async () => {
	const refused = async (...words: readonly string[]) => {
		const { code, error } = await cli("bakeoff", "run", ...words, "--json");
		return [code, JSON.parse(error).error.code];
	};
	expect(await refused(suite, "--over", "right,wrong")).toEqual([
		2,
		"cli/usage",
	]);
	expect(await refused(suite, ...over, "--account", "nobody")).toEqual([
		1,
		"account/unknown",
	]);
	expect(await refused(suite, "--over", "mock/right,openai/gpt-4o")).toEqual([
		1,
		"model/vendor-off",
	]);
	expect(await refused(suite, ...over, "--samples", "101")).toEqual([
		2,
		"bakeoff/invalid",
	]);
	expect((await json("bakeoff", "list")).runs).toEqual([]);
	expect((await json("key", "list")).keys).toHaveLength(1);
	writeFileSync(suite, "suite: s\ncases: []\n");
	expect(await refused(suite, ...over)).toEqual([2, "suite/invalid"]);
	expect(upstream.received).toEqual([]);
});

it("the example over the loopback substrates says what its guide says", async () => {
	const { out } = await cli(
		"bakeoff",
		"run",
		example,
		"--over",
		"loopback/echo,loopback/loopback",
	);
	const guide = readFileSync(
		fileURLToPath(new URL("../../docs/guides/bakeoff.md", import.meta.url)),
		"utf8",
	);
	const { out: proposal } = await cli("bakeoff", "propose");
	// What stands in the diff as it was is of the settings that this test begins with.
	const proposed = proposal.replace(/^ .*$/gm, "");
	for (const printed of [out, proposed]) {
		const told = printed
			.split("\n")
			.map(steady)
			.filter((line) => line !== "" && !line.startsWith("@@"));
		const lines = guide.split("\n").map(steady);
		expect(told.filter((line) => !lines.includes(line))).toEqual([]);
	}
});

/** A line without what is another at each go: ids, times, milliseconds, and the room that those take. */
function steady(line: string): string {
	return line
		.replace(/\b01[0-9a-z]{24}\b/g, "RUN")
		.replace(/\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d UTC)?/g, "TIME")
		.replace(/p95 \d+ ms/g, "p95 N ms")
		.replace(/^((?:chat|extract|plan) .*?)\d+ +\d+$/, "$1N N")
		.replace(/^(call type .*)p50 ms.*$/, "$1")
		.replace(/ +/g, " ")
		.trim();
}

it("outcomes are recorded of one's own calls, and stand in the live report", async () => {
	const { url } = await dos.serve();
	const make = async (name: string, ...words: readonly string[]) =>
		(await json("key", "create", "--name", name, ...words)).secret as string;
	const key = await make("app");
	const call = async () => {
		const response = await fetch(`${url}/v1/chat/completions`, {
			method: "POST",
			headers: {
				authorization: `Bearer ${key}`,
				"content-type": "application/json",
			},
			body: JSON.stringify({
				model: "mock/right",
				max_tokens: 9,
				messages: [{ role: "user", content: "hi" }],
			}),
		});
		await response.text();
		return response.headers.get("x-dos-call-id") as string;
	};
	const say = async (of: string, body: unknown, secret = key) => {
		const response = await fetch(`${url}/v1/outcomes/${of}`, {
			method: "POST",
			headers: { authorization: `Bearer ${secret}` },
			body: typeof body === "string" ? body : JSON.stringify(body),
		});
		const said = (await response.json()) as { error?: { code: string } };
		return [response.status, said.error?.code ?? said];
	};
	const first = await call();
	const second = await call();
	expect(
		await say(first, { score: 0.25, by: "ada", note: "wrong city" }),
	).toEqual([
		200,
		{
			call: first,
			by: "ada",
			score: 0.25,
			note: "wrong city",
			replayed: false,
		},
	]);
	expect(
		await say(first, { score: 0.25, by: "ada", note: "wrong city" }),
	).toMatchObject([200, { replayed: true }]);
	expect(await say(first, { score: 0.75, by: "ada" })).toMatchObject([
		200,
		{ replayed: false },
	]);
	expect(await say(second, { verdict: "accepted" })).toMatchObject([
		200,
		{ by: expect.stringMatching(/^key\//) },
	]);

	const reader = await make("reader", "--read-only");
	expect(await say(first, { label: "seen" }, reader)).toMatchObject([200, {}]);
	expect(await say("call_none", { score: 1 })).toEqual([
		404,
		"receipt/unknown",
	]);
	expect(await say(first, { score: 2 })).toEqual([400, "request/invalid"]);
	expect(await say(first, { scores: 1 })).toEqual([400, "request/invalid"]);
	expect(await say(first, {})).toEqual([400, "request/invalid"]);
	expect(await say(first, "{")).toEqual([400, "request/invalid"]);
	expect(await say(first, { note: "x".repeat(20_000), score: 1 })).toEqual([
		413,
		"http/body-too-large",
	]);
	expect(await say(first, { score: 1 }, "dos_sk_wrong")).toEqual([
		401,
		"key/unknown",
	]);
	const got = await fetch(`${url}/v1/outcomes/${first}`, {
		headers: { authorization: `Bearer ${key}` },
	});
	expect([got.status, got.headers.get("allow")]).toEqual([405, "POST"]);

	const { rows } = await json("bakeoff", "report", "--live");
	expect(rows).toMatchObject([
		{
			substrate: "mock/right",
			samples: 2,
			judged: 2,
			passed: 2,
			quality: { mean: 0.875 },
		},
	]);
});

it("a broken tool call, an answer beside its schema and a question asked again are seen in the live report", async () => {
	const { url } = await dos.serve();
	const { secret } = await json("key", "create", "--name", "app");
	const parameters = {
		type: "object",
		properties: { city: { type: "string" } },
		required: ["city"],
	};
	const broken = '{"city":';
	const function_ = { name: "find", arguments: broken };
	upstream.answer = ({ body }, response) => {
		const asked = JSON.parse(body) as { stream?: boolean; tools?: unknown };
		const called = asked.tools !== undefined;
		if (!asked.stream)
			return sendJson(
				response,
				200,
				chatAnswer('{"town":"Paris"}', { prompt: 10, completion: 5 }),
			);
		response.writeHead(200, { "content-type": "text/event-stream" });
		const frames = [
			{ index: 0, delta: { role: "assistant", content: called ? null : "Hi" } },
			...(called
				? [
						{
							index: 0,
							delta: {
								tool_calls: [
									{ index: 0, id: "c", type: "function", function: function_ },
								],
							},
						},
					]
				: []),
			{ index: 0, delta: {}, finish_reason: called ? "tool_calls" : "stop" },
		].map((choice) => JSON.stringify({ id: "x", choices: [choice] }));
		const usage =
			'{"id":"x","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}';
		response.end(
			[...frames, usage, "[DONE]"].map((data) => `data: ${data}\n\n`).join(""),
		);
	};
	const call = async (path: string, body: object) => {
		const response = await fetch(`${url}${path}`, {
			method: "POST",
			headers: {
				authorization: `Bearer ${secret}`,
				"content-type": "application/json",
			},
			body: JSON.stringify({ model: "mock/right", ...body }),
		});
		expect([response.status, await response.text()]).toEqual([
			200,
			expect.any(String),
		]);
		return response.headers.get("x-dos-call-id") as string;
	};
	const messages = [{ role: "user", content: "Which city?" }];
	const inSchema = {
		messages,
		response_format: {
			type: "json_schema",
			json_schema: { name: "city", schema: parameters },
		},
	};
	const first = await call("/v1/chat/completions", inSchema);
	const second = await call("/v1/chat/completions", inSchema);
	// Through another protocol, and as a stream.
	const third = await call("/v1/messages", {
		max_tokens: 100,
		stream: true,
		messages,
		tools: [{ name: "find", input_schema: parameters }],
	});
	const fine = await call("/v1/chat/completions", { stream: true, messages });

	const live = async () => {
		const { rows } = await json("bakeoff", "report", "--live");
		return rows.map((row: Record<string, unknown>) => [
			row.callType,
			row.samples,
			row.suspect,
		]);
	};
	await vi.waitFor(
		async () =>
			expect(await live()).toEqual([
				["chat", 2, 1],
				["extract", 2, 2],
			]),
		{ timeout: 10_000, interval: 100 },
	);
	const seen: unknown[] = [];
	await withLedger(findHome({}, dos.home), async ({ log }) => {
		for await (const { call, signals } of readCalls(log))
			seen.push([call, signals]);
	});
	expect(seen).toEqual([
		[first, { schema: false, repeatedBy: second }],
		[second, { schema: false }],
		[third, { tools: false }],
		[fine, {}],
	]);
});
