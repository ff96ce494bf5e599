import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeDigest } from "../../src/adapters/runtime/digest.ts";
import { runCli } from "../../src/apps/cli/program.ts";
import { fromHex } from "../../src/kernel/bytes.ts";
import { type Hash, verifyInclusion } from "../../src/kernel/merkle.ts";
import { type Dos, openDos } from "./dos.ts";

let dos: Dos;
beforeEach(() => {
	dos = openDos();
	mkdirSync(dos.home, { recursive: true, mode: 0o700 });
});
afterEach(() => dos.close());

/** A command in this process: a server is one of its own, and a story has many commands. */
async function run(...words: readonly string[]) {
	const written = { out: "", error: "" };
	const stream = (name: "out" | "error") =>
		new Writable({
			write(chunk, _, done) {
				written[name] += chunk;
				done();
			},
		}) as unknown as NodeJS.WriteStream;
	const code = await runCli(words, {
		version: "0.0.0",
		environment: { DOS_HOME: dos.home },
		streams: { out: stream("out"), error: stream("error"), in: process.stdin },
	});
	return { code, ...written };
}

// biome-ignore lint/suspicious/noExplicitAny: what a command prints is what the test looks at.
async function json(...words: readonly string[]): Promise<any> {
	const { code, out, error } = await run(...words, "--json");
	expect({ code, error }).toEqual({ code: 0, error: "" });
	return JSON.parse(out);
}

const row = `
      weights: open
      trainer: me
      bases: []
      channel: own-machine
      operator: Myself
      trains: false
      capabilities: { means: [generate], context: 100000, outputLimit: 50000, tools: true, streaming: true }`;

function settings(postures = ""): void {
	writeFileSync(
		join(dos.home, "config.yaml"),
		`catalogue:
  substrates:
    loopback/here:
      countries: [DE]
      tier: small${row}
    loopback/there:
      countries: [US]
      tier: flagship${row}
${postures && `routing:\n  postures:\n${postures}`}`,
	);
}

const bar = `    - id: federal
      by: the owner
      why: a test
      from: 2026-01-01
      scope: { tags: [federal] }
      deny: [{ country: [DE] }]
`;

async function call(url: string, key: string, model: string) {
	const answer = await fetch(`${url}/v1/chat/completions`, {
		method: "POST",
		headers: {
			authorization: `Bearer ${key}`,
			"content-type": "application/json",
		},
		body: JSON.stringify({
			model,
			max_tokens: 20,
			messages: [{ role: "user", content: "Hello" }],
		}),
	});
	await answer.text();
	return {
		status: answer.status,
		id: answer.headers.get("x-dos-call-id") ?? "",
		substrate: answer.headers.get("x-dos-substrate"),
	};
}

describe("a policy", () => {
	it("is applied to a running server, explained, run again and reported with proofs", async () => {
		settings();
		const { url } = await dos.serve();
		const key = await json("key", "create", "--name", "laptop");
		const first = await call(url, key.secret, "auto");
		expect(first).toMatchObject({ status: 200, substrate: "loopback/here" });

		settings(bar);
		const dry = await json("route", "apply", "--dry-run");
		expect(dry).toMatchObject({ applied: false, problems: [] });
		expect(dry.changes.join()).toContain('The posture "federal"');
		expect((await json("route", "apply")).applied).toBe(true);
		expect((await json("route", "apply")).changes).toEqual([]);
		await json("route", "profile", "key", "laptop", "--tag", "federal");
		await new Promise((resolve) => setTimeout(resolve, 1000));
		const second = await call(url, key.secret, "auto");
		expect(second).toMatchObject({ status: 200, substrate: "loopback/there" });
		const third = await call(url, key.secret, "loopback/here");
		expect(third.status).toBe(403);

		const told = await run("route", "explain", second.id);
		expect(told.out).toContain("loopback/there won");
		expect(told.out).toContain('the posture "federal" denies country DE');
		expect(told.out).toContain("Run again, it comes to the same answer.");
		expect(told.out).toContain("It was answered by loopback/there");
		const refused = await run("route", "explain", third.id);
		expect(refused.out).toContain("It was refused");

		expect(await json("audit", "replay")).toMatchObject({
			ok: true,
			decisions: 3,
			departures: [],
		});

		const month = new Date().toISOString().slice(0, 7);
		const ask = ["audit", "report", "--posture", "federal", "--month", month];
		const { out } = await run(...ask);
		const [head = [], ...rows] = parseCsv(out);
		const cell = (at: number, name: string) =>
			rows[at]?.[head.indexOf(name)] ?? "";
		expect(
			rows.map((_, at) => [cell(at, "call"), cell(at, "outcome")]),
		).toEqual([
			[second.id, "answered"],
			[third.id, "refused"],
		]);
		expect(cell(0, "countries")).toBe("US");
		for (const what of ["decision", "end"]) {
			const line = cell(0, `${what} event`);
			const hash = createHash("sha256").update(`\0${line}`).digest("hex");
			expect(hash).toBe(cell(0, `${what} hash`));
			expect(line).toContain(second.id);
			const hex = (text: string) => fromHex(text) as Hash;
			expect(
				verifyInclusion(
					{
						index: Number(cell(0, `${what} position`)) - 1,
						size: Number(cell(0, "tree size")),
						leaf: hex(hash),
						path: cell(0, `${what} path`).split(" ").map(hex),
						root: hex(cell(0, "root")),
					},
					nodeDigest.bytes,
				),
			).toBe(true);
		}
		const file = join(dos.home, "report.html");
		await json(...ask, "--format", "html", "--out", file);
		expect(readFileSync(file, "utf8")).toContain(second.id);
		expect(await run(...ask, "--out", file)).toMatchObject({ code: 3 });
	});

	it("with a mistake is applied only when that is wanted, and then stops its scope", async () => {
		settings(bar.replace("2026-01-01", "soon"));
		await run("init");
		const refused = await run("route", "apply");
		expect(refused.code).toBe(1);
		expect(refused.out).toContain("config.yaml 25:7: The posture");
		expect(refused.out).toContain("Nothing was recorded.");
		expect((await json("route", "apply", "--force")).applied).toBe(true);
		const doctor = await run("doctor");
		expect(doctor.out).toContain('The posture "federal" stops every call');
		const tried = await run("route", "try", "-m", "auto", "--tag", "federal");
		expect(tried.code).toBe(1);
		expect(tried.out).toMatch(/stops every call in its\s+scope/);
		const other = await run("route", "try", "-m", "auto");
		expect(other.code).toBe(0);
	});
});

describe("trying a route", () => {
	it("decides by the postures of another day", async () => {
		settings(bar);
		await run("init");
		await run("route", "apply");
		const winner = async (...more: string[]) =>
			(await json("route", "try", "-m", "auto", "--tag", "federal", ...more))
				.winner;
		expect(await winner()).toBe("loopback/there");
		expect(await winner("--at", "2025-12-31", "--step", "1")).toBe(
			"loopback/here",
		);
		expect(await winner("--tools", "3")).toBe("loopback/there");
	});

	it("refuses needs that it does not know, and says what there are", async () => {
		settings();
		await run("init");
		const wrong = await run(
			"route",
			"try",
			"-m",
			"auto",
			"--need",
			"planet=moon",
		);
		expect(wrong.code).toBe(2);
		expect(wrong.error).toMatch(/--need: "planet" is no need.*sovereignty/);
	});

	it("names a sovereignty class that nobody defined, whatever else stands in the way", async () => {
		settings();
		await run("init");
		const wrong = await run(
			...["route", "try", "-m", "auto", "--need", "sovereignty=mars"],
		);
		expect(wrong.code).toBe(2);
		expect(wrong.error).toMatch(
			/no sovereignty class "mars".*anywhere.*own-machine/s,
		);
	});

	it("refuses an account that nobody opened", async () => {
		settings();
		await run("init");
		const wrong = await run(
			...["route", "try", "-m", "auto", "--account", "nobody"],
		);
		expect(wrong).toMatchObject({ code: 1, out: "" });
		expect(wrong.error).toContain('no account "nobody". (account/unknown)');
	});

	it("knows what an account may use, from the moment on that it is said", async () => {
		settings();
		await run("init");
		await run("account", "open", "lab");
		const decided = async () => {
			const { code, out } = await run(
				...["route", "try", "-m", "auto", "--account", "lab", "--json"],
			);
			return { code, ...JSON.parse(out) };
		};
		const models = (...words: string[]) =>
			json("account", "models", "lab", ...words);
		expect(await models()).toEqual({ account: "lab", models: null });
		expect(await decided()).toMatchObject({ code: 0 });
		expect(await models("loopback/there,smart")).toEqual({
			account: "lab",
			models: ["loopback/there", "smart"],
		});
		const within = await decided();
		expect(within).toMatchObject({ code: 0, winner: "loopback/there" });
		expect(within.dropped).toContainEqual({
			substrate: "loopback/here",
			filter: "account",
			why: "the account may not use it",
		});
		await models("none/*");
		expect(await decided()).toMatchObject({ code: 1, winner: null });
		expect((await json("account", "list")).accounts).toContainEqual(
			expect.objectContaining({ account: "lab", models: ["none/*"] }),
		);
		expect((await run("account", "models", "lab")).out).toBe(
			"With any key, lab may use none/*.\n",
		);
		expect(await models("--clear")).toEqual({ account: "lab", models: null });
		expect(await decided()).toMatchObject({ code: 0 });
		expect((await run("account", "models", "lab")).out).toMatch(/every model/);
		expect((await run("account", "models", "lab", "x", "--clear")).code).toBe(
			2,
		);
		expect((await run("account", "models", "nobody")).error).toMatch(
			/No account has this id/,
		);
		expect((await run("account", "models", "nobody", "x")).code).toBe(1);
	});
});

describe("the catalogue", () => {
	it("is listed, shown, checked and compared", async () => {
		settings();
		const list = await json("catalog", "list", "--vendor", "loopback");
		expect(list.substrates.map(({ id }: { id: string }) => id)).toEqual([
			"loopback/here",
			"loopback/there",
		]);
		const kept = await json("catalog", "list", "--class", "eu-processed");
		expect(kept.substrates).toHaveLength(1);
		const shown = await run("catalog", "show", "loopback/here");
		expect(shown.out).toMatch(
			/where calls are processed +DE +2\d{3}-\d\d-\d\d +1\n/,
		);
		expect(shown.out).toMatch(/\n 1 {2}owner\n/);
		expect(shown.out).toMatch(/its region +unknown\n/);
		const global = "bedrock/global.anthropic.claude-sonnet-5";
		expect((await json("catalog", "show", global)).notes[0]).toMatch(
			/^A global profile is processed in any/,
		);
		expect((await run("catalog", "list", "--vendor", "deepseek")).out).toMatch(
			/CN DeepSeek +CN +yes +\? +off\n/,
		);
		expect((await run("catalog", "show", "loopback/her")).error).toContain(
			'did you mean "loopback/here"?',
		);
		const sound = await json("catalog", "check");
		expect(sound).toMatchObject({ ok: true, on: 2 });
		expect(sound.unknown).toContainEqual({
			fact: "region",
			about: "its region",
			substrates: 2,
		});
		expect(
			sound.unknown.map(({ fact }: { fact: string }) => fact),
		).not.toContain("channel");
		const { process: server, ended } = await dos.serve();
		server.kill("SIGTERM");
		await ended;
		expect((await json("catalog", "diff")).changes).toEqual([]);
		const facts = join(dos.home, "facts.yaml");
		writeFileSync(facts, "substrates: { loopback/here: { countries: [FR] } }");
		const refreshed = await run("catalog", "refresh", "--from", facts);
		expect(refreshed.out).toContain(
			"loopback/here: where calls are processed was DE, and is FR",
		);
		settings();
		writeFileSync(
			join(dos.home, "config.yaml"),
			"catalogue: { vendors: { nowhere: { seat: DE } } }\nrouting: { table: { killed: [{ vendor: [nobody] }] } }\n",
		);
		const diff = await json("catalog", "diff");
		expect(diff.changes).toContain("loopback/here is not there any more.");
		const check = await run("catalog", "check");
		expect(check.code).toBe(1);
		expect(check.out).toContain('facts of the vendor "nowhere"');
	});
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
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
