import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	openCommands,
	type RoutedVendors,
	row,
	startVendors,
	usage,
	writeSettings,
} from "../support/routed.ts";
import { messageFrames } from "../support/upstream.ts";
import { type Dos, openDos, type Serving } from "./dos.ts";

/** The whole router through the program: one server, four vendors on ports of their own, the vendors' own SDKs. */
const day = 86_400_000;
const iso = (milliseconds: number) =>
	new Date(Date.now() + milliseconds).toISOString();
const channelRows = {
	"alpha/shared": row("DE", { channel: "direct", name: "shared" }),
	"beta/shared": row("US", { channel: "reseller", name: "shared" }),
};
const failures = ["429", "500", "503", "529", "silent", "cut"];

let vendors: RoutedVendors;
let dos: Dos;
let server: Serving;
let run: ReturnType<typeof openCommands>["run"];
let json: ReturnType<typeof openCommands>["json"];
let settings: Record<string, unknown>;
let listener: string;

beforeAll(async () => {
	vendors = await startVendors({
		alpha: "openai-chat",
		beta: "openai-chat",
		gamma: "anthropic-messages",
		locked: "openai-chat",
	});
	dos = openDos();
	({ run, json } = openCommands(dos));
	const everywhere = (model: string) =>
		Object.fromEntries(
			["gamma", "alpha"].map((vendor) => [
				`${vendor}/${model}`,
				row("DE", { name: model }),
			]),
		);
	settings = {
		timeouts: { connect: "500ms", firstByte: "400ms", total: "20s" },
		vendors: {
			...vendors.settings,
			dead: {
				protocol: "openai-chat",
				base: `http://127.0.0.1:${await closedPort()}/v1`,
				key: "key-of-dead-123456",
			},
		},
		prices: [
			{ vendor: "locked", model: "*", prices: { input: 0.01, output: 0.01 } },
			{ vendor: "dead", model: "*", prices: { input: 0.01, output: 0.01 } },
			{ vendor: "gamma", model: "*", prices: { input: 0.1, output: 0.2 } },
			{ vendor: "alpha", model: "*", prices: { input: 1, output: 2 } },
			{ vendor: "beta", model: "*", prices: { input: 5, output: 10 } },
		],
		models: { mine: "beta/big" },
		catalogue: {
			substrates: {
				...channelRows,
				"alpha/waits": row("DE"),
				"beta/big": row("US", { tier: "flagship", laws: ["US"] }),
				"alpha/small": row("DE", { laws: ["DE"] }),
				"dead/refused": row("DE", { name: "refused" }),
				"alpha/refused": row("DE", { name: "refused" }),
				...Object.assign(
					{},
					...failures.map((each) => everywhere(`f-${each}`)),
				),
				...everywhere("late"),
				"locked/no-key": row("DE", { name: "no-key" }),
				"alpha/no-key": row("DE", { name: "no-key" }),
			},
		},
		routing: {
			classes: {
				home: { says: "Processed in Germany.", require: [{ country: ["DE"] }] },
			},
			table: {
				aliases: { house: [{ substrate: ["beta/big", "alpha/small"] }] },
			},
			postures: [
				{
					id: "stayed",
					by: "the owner",
					why: "barred on Monday",
					from: iso(-3 * day),
					scope: { tags: ["federal"] },
					deny: [{ vendor: ["alpha"] }],
				},
				{
					id: "stayed",
					by: "the owner",
					why: "stayed on Thursday",
					from: iso(-3_600_000),
					scope: { tags: ["federal"] },
				},
			],
		},
	};
	writeSettings(dos, settings);
	server = await dos.serve();
	({ secret: listener } = await json("key", "create", "--name", "listener"));
}, 30_000);

afterAll(async () => {
	await dos.close();
	await vendors.close();
});

async function closedPort(): Promise<number> {
	const open = createServer();
	await new Promise<void>((done) => open.listen(0, "127.0.0.1", done));
	const { port } = open.address() as AddressInfo;
	await new Promise((done) => open.close(done));
	return port;
}

let keys = 0;
/** A key with a profile; gives its SDK clients. */
async function client(
	profile: readonly string[] = [],
	more: readonly string[] = [],
) {
	const name = `k${++keys}`;
	const { secret } = await json("key", "create", "--name", name, ...more);
	if (profile.length > 0) {
		await json("route", "profile", "key", name, ...profile);
		await heard();
	}
	const openai = new OpenAI({
		apiKey: secret,
		baseURL: `${server.url}/v1`,
		maxRetries: 0,
	});
	const anthropic = new Anthropic({
		apiKey: secret,
		baseURL: server.url,
		maxRetries: 0,
	});
	const messages = [{ role: "user" as const, content: "Say hello" }];
	return {
		name,
		openai,
		anthropic,
		/** The substrate that answered a chat completion, and its call's id; or the refusal's code. */
		async ask(model: string, asked: object = {}, headers = {}) {
			try {
				const { data, response } = await openai.chat.completions
					.create({ model, messages, max_tokens: 100, ...asked } as never, {
						headers,
					})
					.withResponse();
				const answer = data as OpenAI.ChatCompletion;
				const substrate = response.headers.get("x-dos-substrate");
				expect(
					answer.choices[0]?.message.content?.replace(
						/[^ -~]+/g,
						encodeURIComponent,
					),
				).toBe(substrate);
				return {
					substrate,
					call: response.headers.get("x-dos-call-id") as string,
					headers: response.headers,
				};
			} catch (fault) {
				if (!(fault instanceof OpenAI.APIError)) throw fault;
				return {
					status: fault.status,
					code: fault.code,
					call: fault.headers?.get("x-dos-call-id") as string,
					headers: fault.headers as Headers,
				};
			}
		},
	};
}

/** Any hold makes the server see what others have written: what was set before holds from here on, without waiting. */
async function heard(): Promise<void> {
	const answer = await fetch(`${server.url}/v1/chat/completions`, {
		method: "POST",
		headers: {
			authorization: `Bearer ${listener}`,
			"content-type": "application/json",
		},
		body: JSON.stringify({
			model: "alpha/listens",
			max_tokens: 1,
			dos: { needs: {} },
			messages: [{ role: "user", content: "" }],
		}),
	});
	await answer.text();
}

const pause = (milliseconds: number) =>
	new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

describe("asking", () => {
	it("names an exact one, a model over any channel, an alias, or leaves it open", async () => {
		const { ask, anthropic } = await client();
		const to = async (...asked: Parameters<typeof ask>) =>
			(await ask(...asked)).substrate;
		expect(await to("beta/shared")).toBe("beta/shared");
		expect(await to("shared")).toBe("alpha/shared");
		expect(await to("mine")).toBe("beta/big");
		const easy = { "x-dos-needs": "difficulty=easy" };
		expect(await to("house", {}, easy)).toBe("alpha/small");
		const tool = (name: string) => ({
			type: "function",
			function: { name, parameters: { type: "object" } },
		});
		const tools = [tool("a"), tool("b")];
		expect(await to("auto", { tools })).toBe("beta/big");
		const turns = [
			{ role: "user", content: "Say hello" },
			{
				role: "assistant",
				tool_calls: [
					{
						id: "t",
						type: "function",
						function: { name: "a", arguments: "{}" },
					},
				],
			},
			{ role: "tool", tool_call_id: "t", content: "42" },
		];
		expect(await to("house", { tools, messages: turns })).toBe("alpha/small");
		const { response } = await anthropic.messages
			.create({
				model: "house",
				max_tokens: 50,
				messages: [{ role: "user", content: "hi" }],
			})
			.withResponse();
		expect(response.headers.get("x-dos-substrate")).toBe("alpha/small");
	});

	it("states needs in the header, in the body, by its key and by its account, and all are kept", async () => {
		const { ask } = await client();
		expect(
			await ask("shared", {}, { "x-dos-needs": "channels=reseller" }),
		).toMatchObject({ substrate: "beta/shared" });
		expect(
			await ask("shared", { dos: { needs: { channels: ["reseller"] } } }),
		).toMatchObject({ substrate: "beta/shared" });
		expect(
			await ask(
				"shared",
				{ dos: { needs: { channels: ["reseller"] } } },
				{ "x-dos-needs": "sovereignty=home" },
			),
		).toMatchObject({ status: 403, code: "route/no-eligible-substrate" });
		const bound = await client(["--need", "sovereignty=home"]);
		expect(await bound.ask("shared")).toMatchObject({
			substrate: "alpha/shared",
		});
		// A client that states less than its key states in vain.
		expect(
			await bound.ask("shared", {}, { "x-dos-needs": "sovereignty=anywhere" }),
		).toMatchObject({ substrate: "alpha/shared" });
		for (const model of ["beta/big", "beta/not-listed", "mine"])
			expect(await bound.ask(model)).toMatchObject({
				status: 403,
				code: "route/no-eligible-substrate",
			});
		await json(
			"route",
			"profile",
			"account",
			"main",
			"--need",
			"channels=reseller",
		);
		await heard();
		expect(await bound.ask("shared")).toMatchObject({ status: 403 });
		expect(await ask("shared")).toMatchObject({ substrate: "beta/shared" });
		await json("route", "profile", "account", "main", "--clear");
		await heard();
		for (const needs of [
			"sovereignty=home=x",
			"planet=mars",
			"cost-ceiling=-1",
			"cost-ceiling=1e3",
			"quality-floor=1001",
			"channels=",
		])
			expect(await ask("shared", {}, { "x-dos-needs": needs })).toMatchObject({
				status: 400,
				code: "request/invalid",
			});
		for (const needs of [
			{ costCeiling: -1 },
			{ costCeiling: 1.5 },
			{ x: 1 },
			[],
		])
			expect(await ask("shared", { dos: { needs } })).toMatchObject({
				status: 400,
				code: "request/invalid",
			});
	});

	it("bounds the cost: at nothing only what is free, at a little only what is cheap, at much all", async () => {
		const { ask } = await client();
		const ceiling = (most: number) => ({
			"x-dos-needs": `cost-ceiling=${most}`,
		});
		expect(await ask("shared", {}, ceiling(0))).toMatchObject({ status: 403 });
		expect(
			await ask(
				"house",
				{},
				{ "x-dos-needs": "cost-ceiling=1000000, difficulty=hard" },
			),
		).toMatchObject({ substrate: "beta/big" });
		expect(
			await ask(
				"house",
				{},
				{ "x-dos-needs": "cost-ceiling=200000, difficulty=hard" },
			),
		).toMatchObject({ substrate: "alpha/small" });
		expect(await ask("beta/not-listed-0", {}, ceiling(0))).toMatchObject({
			status: 403,
		});
		expect(await ask("shared", {}, ceiling(999_999_999_999_999))).toMatchObject(
			{ substrate: "alpha/shared" },
		);
	});

	it("keeps a key with rights to an alias alone to what that stands for", async () => {
		const { ask, name } = await client([], ["--models", "house"]);
		expect((await ask("house")).substrate).toMatch(/^(beta.big|alpha.small)$/);
		for (const model of [
			"alpha/small",
			"beta/big",
			"auto",
			"shared",
			"HOUSE ",
			"mine",
		])
			expect([403, 404]).toContain((await ask(model)).status);
		const tried = await json("route", "try", "-m", "house", "--key", name);
		expect(tried.winner).not.toBeNull();
		const wild = await client([], ["--models", "hou*"]);
		expect((await wild.ask("house")).substrate).toBeTruthy();
		expect(
			(await json("route", "try", "-m", "house", "--key", wild.name)).winner,
		).not.toBeNull();
		// By the model's name, whatever a channel calls it, also where the router chooses.
		const named = await client([], ["--models", "shared"]);
		for (const model of ["shared", "auto", "alpha/shared"])
			expect(await named.ask(model)).toMatchObject({
				substrate: "alpha/shared",
			});
	});
});

describe("postures", () => {
	it("are judged at the moment of the call: barred on Monday, stayed on Thursday", async () => {
		const { ask, name } = await client(["--tag", "federal"]);
		expect(await ask("shared")).toMatchObject({ substrate: "alpha/shared" });
		const at = async (moment: string) =>
			(
				await json(
					"route",
					"try",
					"-m",
					"shared",
					"--key",
					name,
					"--at",
					moment,
				)
			).winner;
		expect(await at("2d")).toBe("beta/shared");
		expect(await at("5d")).toBe("alpha/shared");
		expect(await at("1m")).toBe("alpha/shared");
	});
});

describe("carrying out", () => {
	const silent = () => new Promise<void>(() => {});
	it.each([
		["f-429", 429, "overload http/429"],
		["f-500", 500, "server http/500"],
		["f-503", 503, "overload http/503"],
		["f-529", 529, "overload http/529"],
		["f-silent", silent, "timeout upstream/first-byte-timeout"],
		[
			"f-cut",
			(response: ServerResponse) => void response.destroy(),
			"broke-off",
		],
	] as const)(
		"falls back across protocols: %s",
		async (model, deed, ending) => {
			const { ask, openai } = await client();
			vendors.always.set(`gamma/${model}`, deed);
			const { substrate, call, headers } = await ask(model);
			expect(substrate).toBe(`alpha/${model}`);
			expect(headers.get("x-dos-credits")).toBe(
				String(usage.prompt * 100 + usage.completion * 200),
			);
			const told = await run("route", "explain", call);
			expect(told.out).toContain(`gamma/${model} won`);
			expect(told.out).toContain(
				`It was answered by alpha/${model} (finished)`,
			);
			const receipt = await fetch(`${server.url}/v1/receipts/${call}`, {
				headers: { authorization: `Bearer ${openai.apiKey}` },
			}).then((answer) => answer.json());
			expect(JSON.stringify(receipt)).toContain(ending);
			const stream = await openai.chat.completions.create({
				model,
				stream: true,
				messages: [{ role: "user", content: "hi" }],
			});
			let text = "";
			for await (const chunk of stream)
				text += chunk.choices[0]?.delta.content ?? "";
			expect(text).toBe(`alpha/${model}`);
		},
	);

	it("falls back from an only key that the vendor refuses, and does not take the vendor from others for it", async () => {
		const { ask } = await client();
		vendors.always.set("locked/no-key", 401);
		for (let round = 0; round < 2; round++)
			expect(await ask("no-key")).toMatchObject({ substrate: "alpha/no-key" });
		expect(
			vendors.asked.filter((each) => each === "locked/no-key"),
		).toHaveLength(2);
	});

	it("falls back where nobody listens", async () => {
		const { ask } = await client();
		expect(await ask("refused")).toMatchObject({ substrate: "alpha/refused" });
	});

	it("never once bytes have reached the client", async () => {
		const { openai } = await client();
		vendors.always.set("gamma/late", async (response) => {
			response.writeHead(200, { "content-type": "text/event-stream" });
			for (const frame of messageFrames(["half"], {
				input: 1,
				output: 1,
			}).slice(0, 3))
				response.write(frame);
			await pause(100);
			response.destroy();
		});
		const stream = await openai.chat.completions.create({
			model: "late",
			stream: true,
			messages: [{ role: "user", content: "hi" }],
		});
		let text = "";
		await expect(
			(async () => {
				for await (const chunk of stream)
					text += chunk.choices[0]?.delta.content ?? "";
			})(),
		).rejects.toThrow();
		expect(text).toBe("half");
		expect(vendors.asked).not.toContain("alpha/late");
	});
});

/** The whole policy that is in force, with something more or other in it. */
function withRouting(more: {
	readonly postures?: readonly object[];
	readonly table?: object;
}): object {
	const routing = settings.routing as {
		postures: readonly object[];
		table: object;
	};
	return {
		...settings,
		routing: {
			...routing,
			postures: [...routing.postures, ...(more.postures ?? [])],
			table: { ...routing.table, ...more.table },
		},
	};
}

describe("a policy that is applied while the server runs", () => {
	it("holds within a second, from its moment on, also for who was let through before", async () => {
		const { ask } = await client(["--tag", "club"]);
		expect(await ask("shared")).toMatchObject({ substrate: "alpha/shared" });
		const from = Date.now() + 2_000;
		writeSettings(
			dos,
			withRouting({
				table: { killed: [{ substrate: ["alpha/small"] }] },
				postures: [
					{
						id: "later",
						by: "the owner",
						why: "from then on",
						from: new Date(from).toISOString(),
						scope: { tags: ["club"] },
						deny: [{ vendor: ["alpha"] }],
					},
				],
			}),
		);
		expect((await json("route", "apply")).applied).toBe(true);
		const applied = Date.now();
		while ((await ask("alpha/small")).status !== 403) await pause(50);
		expect(Date.now() - applied).toBeLessThan(1_000);
		expect(await ask("shared")).toMatchObject({ substrate: "alpha/shared" });
		// What was allowed when it was asked is asked again before it is sent once more.
		vendors.deeds.set("alpha/waits", [
			(response) => {
				response.writeHead(503, { "retry-after": "3" });
				response.end("{}");
			},
		]);
		expect(await ask("alpha/waits")).toMatchObject({ status: 403 });
		expect(Date.now()).toBeGreaterThanOrEqual(from);
		expect(vendors.asked.filter((each) => each === "alpha/waits")).toHaveLength(
			1,
		);
		expect(await ask("shared")).toMatchObject({ substrate: "beta/shared" });
	});

	it("and cannot be read stops its scope and no others, and is told", async () => {
		const inScope = await client(["--tag", "broken"]);
		const outside = await client();
		writeSettings(
			dos,
			withRouting({
				postures: [
					{
						id: "unreadable",
						by: "the owner",
						why: "a mistake",
						from: "2026-01-01",
						scope: { tags: ["broken"] },
						deny: [{ planet: ["mars"] }],
					},
				],
			}),
		);
		expect((await run("route", "apply")).code).toBe(1);
		expect((await json("route", "apply", "--force")).applied).toBe(true);
		await heard();
		for (const model of ["shared", "auto", "beta/big"])
			expect(await inScope.ask(model)).toMatchObject({
				status: 403,
				code: "route/no-eligible-substrate",
			});
		expect(await outside.ask("shared")).toMatchObject({
			substrate: "alpha/shared",
		});
		expect((await run("doctor")).out).toContain(
			'The posture "unreadable" stops every call',
		);
		server.process.kill("SIGTERM");
		await server.ended;
		server = await dos.serve();
		// It stands in another stream than the address that was waited for.
		await expect
			.poll(() => server.said())
			.toContain('The posture "unreadable" stops every call');
		expect(
			await (await client(["--tag", "broken"])).ask("shared"),
		).toMatchObject({
			status: 403,
		});
		writeSettings(dos, settings);
		expect((await json("route", "apply")).applied).toBe(true);
		await heard();
	});
});

describe("proving", () => {
	const hostile = `<script>alert("x")</script>&'=cmd|' /C calc'!A0`;

	it("all of it comes to the same answer again", async () => {
		const { ask } = await client(["--tag", "federal"]);
		for (const model of [
			hostile,
			"a@b+c/d é %00",
			"__proto__",
			"x".repeat(480),
		])
			expect([200, 400, 403]).toContain(
				(await ask(`beta/${model}`)).status ?? 200,
			);
		const replay = await run("audit", "replay", "--json");
		const { ok, departures, decisions } = JSON.parse(replay.out);
		expect(departures).toEqual([]);
		expect(ok).toBe(true);
		expect(decisions).toBeGreaterThan(50);
	});

	it("an auditor checks every row with nothing of ours", async () => {
		const month = new Date().toISOString().slice(0, 7);
		const file = join(dos.home, "federal.csv");
		const asked = ["audit", "report", "--posture", "stayed", "--month", month];
		const { key } = await json(...asked, "--out", file);
		const note = readFileSync(`${file}.checkpoint.txt`, "utf8");
		const { root, size } = openNote(note, key);
		const [head = [], ...rows] = readCsv(readFileSync(file, "utf8"));
		expect(rows.length).toBeGreaterThan(4);
		for (const cells of rows) {
			const row = Object.fromEntries(head.map((name, at) => [name, cells[at]]));
			expect(Number(row["tree size"])).toBe(size);
			for (const what of ["decision", "end"]) {
				if (!row[`${what} event`]) continue;
				expect(row[`${what} event`]).toContain(row.call);
				expect(
					rootFrom(
						Number(row[`${what} position`]) - 1,
						size,
						row[`${what} event`] as string,
						row[`${what} path`] as string,
					),
				).toBe(root);
			}
		}
		for (const cells of rows)
			for (const cell of cells) expect(cell).not.toMatch(/^[=+@\t]/);
		const page = join(dos.home, "federal.html");
		await json(...asked, "--format", "html", "--out", page);
		const html = readFileSync(page, "utf8");
		expect(html).toContain("&#60;script&#62;alert");
		expect(html).not.toMatch(/<script|<img|<link|http-equiv="refresh"/i);
	});
});

const sha256 = (...parts: readonly Uint8Array[]) =>
	createHash("sha256").update(Buffer.concat(parts)).digest();

/** RFC 9162, section 2.1.3.2, as written there. */
function rootFrom(
	index: number,
	size: number,
	line: string,
	path: string,
): string {
	let [at, last] = [index, size - 1];
	let hash = sha256(Buffer.from([0]), Buffer.from(line));
	for (const step of path.split(" ").filter((each) => each !== "")) {
		const other = Buffer.from(step, "hex");
		if (at % 2 === 1 || at === last) {
			hash = sha256(Buffer.from([1]), other, hash);
			while (at % 2 === 0 && at !== 0) [at, last] = [at >> 1, last >> 1];
		} else hash = sha256(Buffer.from([1]), hash, other);
		[at, last] = [at >> 1, last >> 1];
	}
	expect(last).toBe(0);
	return hash.toString("hex");
}

/** A C2SP signed note with a checkpoint in it, whose signature is that of `key`. */
function openNote(
	note: string,
	key: string,
): { readonly root: string; readonly size: number } {
	const [text = "", signatures = ""] = note.split("\n\n");
	const signed = Buffer.from(
		signatures.trim().split(" ").at(-1) ?? "",
		"base64",
	);
	const material = Buffer.from(key.split("+").slice(2).join("+"), "base64");
	const spki = Buffer.concat([
		Buffer.from("302a300506032b6570032100", "hex"),
		material.subarray(1),
	]);
	expect(
		verify(
			null,
			Buffer.from(`${text}\n`),
			createPublicKey({ key: spki, format: "der", type: "spki" }),
			signed.subarray(4),
		),
	).toBe(true);
	const [, size, root] = text.split("\n");
	return {
		root: Buffer.from(root ?? "", "base64").toString("hex"),
		size: Number(size),
	};
}

/** RFC 4180. */
function readCsv(text: string): string[][] {
	const rows: string[][] = [];
	let row: string[] = [];
	for (const match of text.matchAll(
		/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g,
	)) {
		row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
		if (match[3] === ",") continue;
		rows.push(row);
		row = [];
	}
	return rows;
}
