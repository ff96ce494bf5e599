import {
	chmodSync,
	existsSync,
	mkdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/apps/cli/errors.ts";
import { type Dos, openDos } from "./dos.ts";

let dos: Dos;
beforeEach(() => {
	dos = openDos();
});
afterEach(() => dos.close());

const commands = [
	"start",
	"init",
	"key create",
	"key list",
	"key rotate",
	"key revoke",
	"key caps",
	"account open",
	"account models",
	"account list",
	"credits grant",
	"credits balance",
	"credits statement",
	"credits refund",
	"credits caps",
	"quote",
	"call",
	"connect",
	"disconnect",
	"vendors",
	"models",
	"route try",
	"route explain",
	"route apply",
	"route profile",
	"catalog list",
	"catalog show",
	"catalog diff",
	"catalog check",
	"catalog refresh",
	"bakeoff run",
	"bakeoff list",
	"bakeoff report",
	"bakeoff propose",
	"audit replay",
	"audit report",
	"audit verify",
	"audit checkpoint",
	"audit prove",
	"audit check",
	"export",
	"import",
	"backup",
	"restore",
	"migrate",
	"doctor",
];
const secret = /dos_sk_[0-9A-Za-z]{43}/;

describe("before anything is set up", () => {
	it("says its version", async () => {
		const { version } = JSON.parse(
			readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
		) as { version: string };
		expect(await dos.run("--version")).toEqual({
			code: 0,
			out: `${version}\n`,
			error: "",
		});
		expect((await dos.run("--version", "--json")).out).toBe(`${version}\n`);
	});

	it("helps when nothing is asked, within 80 columns", async () => {
		const { code, out, error } = await dos.run();
		expect({ code, error }).toEqual({ code: 0, error: "" });
		for (const word of [
			"start",
			"init",
			"key",
			"credits",
			"quote",
			"call",
			"vendors",
			"models",
			"audit",
			"export",
			"import",
			"doctor",
		]) {
			expect(out).toMatch(new RegExp(`^ {2}${word}\\b`, "m"));
		}
		expect(
			Math.max(...out.split("\n").map((line) => line.length)),
		).toBeLessThanOrEqual(80);
	});

	it("explains each command with an example, and the guide does too", async () => {
		const guide = readFileSync(
			new URL("../../docs/guides/cli.md", import.meta.url),
			"utf8",
		);
		const groups = (await dos.run("--help")).out;
		for (const command of commands) {
			const { code, out } = await dos.run(...command.split(" "), "--help");
			expect(code).toBe(0);
			expect(out).toMatch(
				new RegExp(`Examples:\\n(.*\\n)*? {2}\\$ .*dos ${command}`),
			);
			expect(guide).toContain(`| \`dos ${command}\` |`);
			expect(groups).toMatch(
				new RegExp(`^ {2}${command.split(" ")[0]}\\b`, "m"),
			);
		}
		// And sync-check, a program of its own with help and a guide of its own.
		expect(guide).toContain("| `dos sync-check` |");
		expect(guide.match(/^\| `dos /gm)).toHaveLength(commands.length + 1);
		expect(existsSync(dos.home)).toBe(false);
	}, 60_000);

	it("states the same exit codes in the help and in the guide", async () => {
		const guide = readFileSync(
			new URL("../../docs/guides/cli.md", import.meta.url),
			"utf8",
		);
		const { out } = await dos.run("--help");
		for (const code of Object.values(exitCodes)) {
			expect(out).toMatch(new RegExp(`^ {2}${code} {2}`, "m"));
			expect(guide).toMatch(new RegExp(`^\\| ${code} \\|`, "m"));
		}
	});

	it("says what to do first, and creates nothing by looking", async () => {
		const { code, error } = await dos.run("credits", "balance");
		expect(code).toBe(1);
		expect(error).toContain("dos init");
		expect(error).toContain("(home/empty)");
		expect(existsSync(dos.home)).toBe(false);
		expect((await dos.run("doctor")).code).toBe(1);
		expect(existsSync(dos.home)).toBe(false);
	});
});

describe("a command line that is wrong", () => {
	it.each([
		[["frob"], /Unknown command 'frob'/],
		[["kye"], /Did you mean key/],
		[["key"], /command is missing/],
		[["credits", "grnt", "1"], /Did you mean grant/],
		[["credits", "grant"], /Missing required argument/],
		[["credits", "grant", "-5"], /'-5' is no <amount>/],
		[["credits", "grant", "--", "-5"], /'-5' is no <amount>/],
		[["credits", "grant", "1e9"], /'1e9' is no <amount>/],
		[["credits", "grant", "99999999999"], /is no <amount>/],
		[["credits", "grant", "0.0000001"], /is no <amount>/],
		[["credits", "grant", ""], /'' is no <amount>/],
		[["credits", "grant", "1", "2"], /[Tt]oo many arguments/],
		[["credits", "refund", "x"], /--reason/],
		[["credits", "statement", "--since", "yesterday"], /Write a date/],
		[["credits", "statement", "--since", "2026-02-30"], /Write a date/],
		[["key", "create", "--expires", "30"], /with its unit/],
		[["key", "create", "--nam", "x"], /Did you mean --name/],
		[["key", "create", "--idempotency-key", "a b"], /visible ASCII/],
		[["start", "--port", "65536"], /0 to 65535/],
		[["call", "-m"], /argument missing/],
	])("%j is answered with 2 and what is right", async (words, message) => {
		const { code, out, error } = await dos.run(...words);
		expect({ code, out }).toEqual({ code: 2, out: "" });
		expect(error).toMatch(message);
		expect(error).not.toContain("    at ");

		// Behind these, --json would be an argument.
		if (words.includes("--") || words.at(-1) === "-m") return;
		const document = await dos.run(...words, "--json");
		expect(document.out).toBe("");
		expect(JSON.parse(document.error).error).toMatchObject({
			code: "cli/usage",
			message: expect.stringMatching(message),
		});
	});
});

describe("init", () => {
	it("sets up a home for its owner alone, and shows the key this once", async () => {
		const { code, out } = await dos.run("init");
		expect(code).toBe(0);
		const [key] = secret.exec(out) as RegExpExecArray;
		for (const [name, mode] of [
			["", 0o700],
			["config.yaml", 0o600],
			["dos.db", 0o600],
			["audit.key", 0o600],
		] as const) {
			expect(statSync(join(dos.home, name)).mode & 0o777).toBe(mode);
		}
		for (const name of ["config.yaml", "dos.db", "audit.key"]) {
			expect(readFileSync(join(dos.home, name), "latin1")).not.toContain(key);
		}
		expect((await dos.json("credits", "balance")).available).toBe(
			1_000_000_000,
		);

		const again = await dos.run("init", "--grant", "5");
		expect(again.code).toBe(0);
		expect(again.out).not.toMatch(secret);
		expect((await dos.json("credits", "balance")).granted).toBe(1_000_000_000);
		expect((await dos.json("key", "list")).keys).toHaveLength(1);
	});

	it("leaves the owner's settings as they are", async () => {
		mkdirSync(dos.home);
		writeFileSync(join(dos.home, "config.yaml"), "account: mine\n");
		expect(await dos.json("init", "--grant", "5usd")).toMatchObject({
			account: "mine",
			configWritten: false,
			granted: 500_000_000,
		});
		expect(readFileSync(join(dos.home, "config.yaml"), "utf8")).toBe(
			"account: mine\n",
		);
	});

	it("run twice at the same time makes one key and one grant", async () => {
		const both = await Promise.all([
			dos.json("init"),
			dos.json("init"),
			dos.json("init"),
		]);
		expect(both.filter(({ key }) => key !== undefined)).toHaveLength(1);
		expect(both.filter(({ granted }) => granted !== undefined)).toHaveLength(1);
		expect((await dos.json("credits", "balance")).granted).toBe(1_000_000_000);
	});

	it("refuses a config.yaml that is wrong, with the place", async () => {
		mkdirSync(dos.home);
		writeFileSync(join(dos.home, "config.yaml"), "listen:\n  prot: 1\n");
		const { code, error } = await dos.run("init");
		expect(code).toBe(2);
		expect(error).toContain(
			'2:3 listen.prot is no setting; did you mean "port"?',
		);
		expect(existsSync(join(dos.home, "dos.db"))).toBe(false);
	});

	it.skipIf(process.getuid?.() === 0)(
		"says when the home cannot be",
		async () => {
			mkdirSync(dos.home, { mode: 0o500 });
			chmodSync(dos.home, 0o500);
			const { code, error } = await dos.run("init");
			expect(code).toBe(3);
			expect(error).toContain("DOS_HOME");
		},
	);
});

describe("keys", () => {
	beforeEach(() => dos.run("init"));

	it("are made, listed, capped, rotated and revoked", async () => {
		const made = await dos.json(
			"key",
			"create",
			"--name",
			"laptop",
			"--cap-day",
			"50",
			"--cap-request",
			"2usd",
			"--models",
			"openai/*, fast",
			"--expires",
			"30d",
		);
		expect(made).toMatchObject({
			name: "laptop",
			account: "main",
			can: ["call", "read"],
			models: ["openai/*", "fast"],
			replayed: false,
		});
		expect(made.secret).toMatch(secret);
		expect(made.expires - made.created).toBeGreaterThan(
			30 * 86_400_000 - 10_000,
		);
		expect(made.expires - made.created).toBeLessThanOrEqual(30 * 86_400_000);
		expect(
			made.caps.map(({ window, cap }: { window: string; cap: number }) => [
				window,
				cap,
			]),
		).toEqual(
			expect.arrayContaining([
				["day", 50_000_000],
				["request", 200_000_000],
			]),
		);

		const capped = await dos.json(
			"key",
			"caps",
			"laptop",
			"--cap-day",
			"none",
			"--cap-total",
			"9",
		);
		expect(
			Object.fromEntries(
				capped.caps.map(({ window, cap }: { window: string; cap: number }) => [
					window,
					cap,
				]),
			),
		).toEqual({
			request: 200_000_000,
			total: 9_000_000,
		});

		const rotated = await dos.json("key", "rotate", made.key);
		expect(rotated.secret).toMatch(secret);
		expect(rotated.secret).not.toBe(made.secret);

		expect(
			(await dos.json("key", "revoke", "laptop", "--reason", "lost")).revoked,
		).toBeGreaterThan(0);
		expect(
			(await dos.json("key", "list")).keys.map(
				({ name }: { name: string }) => name,
			),
		).toEqual(["first"]);
		expect((await dos.run("key", "list", "--all")).out).toMatch(
			/laptop .* revoked/,
		);
		expect((await dos.run("key", "revoke", "laptop")).error).toContain(
			"(key/already-revoked)",
		);
	});

	it("are done once under an idempotency key, and their text is not shown again", async () => {
		const words = [
			"key",
			"create",
			"--name",
			"ci",
			"--expires",
			"1h",
			"--idempotency-key",
			"k1",
		];
		const [one, other] = await Promise.all([
			dos.json(...words),
			dos.json(...words),
		]);
		expect(one.key).toBe(other.key);
		expect(
			[one.secret, other.secret].filter((text) => text === null),
		).toHaveLength(1);
		const mismatch = await dos.run(
			"key",
			"create",
			"--name",
			"other",
			"--idempotency-key",
			"k1",
			"--json",
		);
		expect(mismatch.code).toBe(1);
		expect(JSON.parse(mismatch.error).error.code).toBe("idempotency/mismatch");
	});

	it("that share a name are told apart by id, and a secret given as a name is not repeated", async () => {
		await dos.run("key", "create", "--name", "twin");
		await dos.run("key", "create", "--name", "twin");
		expect((await dos.run("key", "revoke", "twin")).error).toContain(
			"(key/ambiguous)",
		);
		const { error } = await dos.run("key", "revoke", "dos_sk_notAKeyOfOurs");
		expect(error).toContain("(key/unknown)");
		expect(error).not.toContain("notAKeyOfOurs");
	});

	it("cannot have names that deceive", async () => {
		const { code, error } = await dos.run(
			"key",
			"create",
			"--name",
			"a\u001b[2J\u202e",
		);
		expect(code).toBe(2);
		expect(error).toContain("(credits/invalid)");
	});
});

describe("accounts", () => {
	it("are opened once, granted credits and listed", async () => {
		await dos.run("init");
		expect((await dos.run("account", "open", "lab", "--name", "Lab")).out).toBe(
			"Opened lab. It has no credits yet.\nNext: dos credits grant 1000 --account lab\n",
		);
		await dos.run("credits", "grant", "50", "--account", "lab");
		const { out } = await dos.run("account", "list");
		expect(out).toMatch(/^lab +Lab +0 +50 +0 +0$/m);
		const again = await dos.run("account", "open", "lab");
		expect(again.code).toBe(1);
		expect(again.error).toContain("account/exists");
	});
});

describe("credits", () => {
	beforeEach(() => dos.run("init"));

	it("are granted, and granted once under an idempotency key", async () => {
		const words = [
			"credits",
			"grant",
			"10usd",
			"--note",
			"June",
			"--idempotency-key",
			"june",
		];
		expect(await dos.json(...words)).toEqual({
			account: "main",
			granted: 1_000_000_000,
			available: 2_000_000_000,
			replayed: false,
		});
		expect(await dos.json(...words)).toMatchObject({
			available: 2_000_000_000,
			replayed: true,
		});
		expect(
			(await dos.run("credits", "grant", "1", "--idempotency-key", "june"))
				.error,
		).toContain("(idempotency/mismatch)");
	});

	it("granted by many commands at once are all there", async () => {
		const ended = await Promise.all(
			Array.from({ length: 6 }, () => dos.run("credits", "grant", "1")),
		);
		expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0]);
		expect((await dos.json("credits", "balance")).granted).toBe(1_006_000_000);
		expect((await dos.json("audit", "verify")).ok).toBe(true);
	});

	it("cannot be given to nobody", async () => {
		for (const words of [
			["credits", "grant", "1", "--account", "nobody"],
			["credits", "balance", "--account", "nobody"],
			["credits", "statement", "--account", "nobody"],
		]) {
			const { code, error } = await dos.run(...words);
			expect(code).toBe(1);
			expect(error).toContain("(account/unknown)");
		}
	});

	it("have caps for the whole account", async () => {
		expect((await dos.run("credits", "caps")).out).toContain("no caps");
		expect(
			(await dos.json("credits", "caps", "--cap-month", "20usd")).caps,
		).toMatchObject([{ of: "account", window: "month", cap: 2_000_000_000 }]);
		expect(
			(await dos.json("credits", "caps", "--cap-month", "none")).caps,
		).toEqual([]);
	});

	it("stand on a statement, as a table, as a document and as CSV that runs no formula", async () => {
		await dos.run("credits", "grant", "0.5", "--note", '=cmd|"/c calc"!A1');
		const { out } = await dos.run("credits", "statement");
		expect(out).toMatch(/grant +first credits +\+1000 +1000\n/);
		expect(out).toContain("Balance: 1000.5 credits (10.005 USD)");
		expect(await dos.json("credits", "statement")).toMatchObject({
			opening: 0,
			closing: 1_000_500_000,
			leftOut: 0,
			lines: [
				{ type: "grant", amount: 1_000_000_000 },
				{ amount: 500_000, balance: 1_000_500_000 },
			],
		});
		expect(
			await dos.json("credits", "statement", "--limit", "1"),
		).toMatchObject({ opening: 1_000_000_000, leftOut: 1, lines: [{}] });
		expect(
			await dos.json("credits", "statement", "--until", "2020-01-01"),
		).toMatchObject({ closing: 0, lines: [] });
		const lines = (await dos.run("credits", "statement", "--csv")).out.split(
			"\r\n",
		);
		expect(lines).toHaveLength(4);
		expect(lines[0]).toBe(
			"time,position,type,credits,balance,usd,call,key,model,ending,basis,uncollected,note",
		);
		expect(lines[2]).toMatch(
			/,grant,0\.5,1000\.5,0\.005,,,,,,,"'=cmd\|""\/c calc""!A1"$/,
		);
	});
});

describe("calls", () => {
	it("go out without a server, are charged, shown, proved and refunded", async () => {
		await dos.run("init");
		const said = await dos.run("call", "-m", "loopback/loopback", "Hello");
		expect(said.code).toBe(0);
		expect(said.out).toContain("Hello");
		expect(said.error).toMatch(/credits \(.* USD\) · .* · call call_/);

		const { call, text, receipt } = await dos.json(
			"call",
			"-m",
			"loopback/loopback",
			"Hello again",
		);
		expect(text).toContain("Hello again");
		expect(receipt).toMatchObject({ call, status: "settled" });
		expect(receipt.charged).toBeGreaterThan(0);
		const { spent } = await dos.json("credits", "balance");
		expect(spent).toBeGreaterThan(receipt.charged);
		expect((await dos.run("credits", "statement")).out).toContain(call);

		const proof = await dos.run("audit", "prove", call, "--json");
		const { key } = JSON.parse(proof.out);
		const checked = await dos.with({ input: proof.out })(
			"audit",
			"check",
			"-",
			"--trust",
			key,
			"--json",
		);
		expect(JSON.parse(checked.out)).toMatchObject({
			holds: true,
			type: "credits-settled",
			data: { call },
		});
		const forged = await dos.with({
			input: proof.out.replace(/"index": \d+/, '"index": 0'),
		})("audit", "check", "-", "--trust", key);
		expect(forged.code).toBe(1);

		expect(
			await dos.json("credits", "refund", call, "--reason", "a test"),
		).toMatchObject({ refunded: receipt.charged });
		expect(
			(await dos.run("credits", "refund", call, "--reason", "again")).code,
		).toBe(1);
		expect((await dos.json("credits", "balance")).spent).toBe(
			spent - receipt.charged,
		);
	});

	it("are quoted first, for nothing", async () => {
		await dos.run("init");
		const quoted = await dos.json(
			"quote",
			"-m",
			"loopback/loopback",
			"--max-tokens",
			"10",
			"Hello",
		);
		expect(quoted).toMatchObject({
			substrate: "loopback/loopback",
			outputTokens: 10,
			limitFrom: "request",
			affordable: true,
		});
		expect((await dos.json("credits", "balance")).spent).toBe(0);
		expect(
			(await dos.run("quote", "-m", "loopback/loopback", "Hello")).out,
		).toMatch(/^at most +[\d.]+ credits/m);
	});

	it("take their text from standard input, and say when there is none", async () => {
		await dos.run("init");
		const piped = await dos.with({ input: "from a pipe\n" })(
			"call",
			"-m",
			"loopback/loopback",
			"--no-stream",
		);
		expect(piped.out).toContain("from a pipe");
		expect(
			(await dos.with({ input: " \n" })("call", "-m", "loopback/loopback"))
				.code,
		).toBe(2);
	});

	it("go through the server that runs, with any key", async () => {
		const server = await dos.serve();
		const [key] = secret.exec(server.said()) as RegExpExecArray;
		const said = await dos.with({ environment: { DOS_KEY: key } })(
			"call",
			"-m",
			"loopback/loopback",
			"by key",
		);
		expect(said.out).toContain("by key");
		expect(existsSync(join(dos.home, "terminal.key"))).toBe(false);
		expect(
			(await dos.run("call", "-m", "loopback/loopback", "as the operator"))
				.code,
		).toBe(0);
		expect(
			(await dos.json("key", "list")).keys.map(
				({ name }: { name: string }) => name,
			),
		).toEqual(["first", "terminal"]);
		const metrics = await (await fetch(`${server.url}/metrics`)).text();
		expect(metrics).toContain("dos_");

		const wrong = await dos.run(
			"call",
			"-m",
			"loopback/loopback",
			"--key",
			"dos_sk_wrong",
			"x",
			"--json",
		);
		expect(wrong.code).toBe(1);
		expect(JSON.parse(wrong.error).error.code).toBe("key/unknown");
	});

	it("that cannot be paid are refused with what is needed", async () => {
		await dos.run("init", "--grant", "0.0001");
		const { code, error, out } = await dos.run(
			"call",
			"-m",
			"loopback/loopback",
			"x",
			"--json",
		);
		expect({ code, out }).toEqual({ code: 1, out: "" });
		expect(JSON.parse(error).error).toMatchObject({
			code: "credits/insufficient",
			details: { available: 100 },
		});
	});

	it("with the operator's key revoked say how to go on", async () => {
		await dos.run("init");
		await dos.run("call", "-m", "loopback/loopback", "x");
		await dos.run("key", "revoke", "terminal");
		const { code, error } = await dos.run(
			"call",
			"-m",
			"loopback/loopback",
			"x",
		);
		expect(code).not.toBe(0);
		expect(error).toContain("terminal.key");
	});

	it("reach a vendor in the protocol that it speaks", async () => {
		const asked: { path: string | undefined; key: unknown }[] = [];
		const vendor = createServer((request, response) => {
			asked.push({ path: request.url, key: request.headers["x-api-key"] });
			request.resume().on("end", () => {
				response.writeHead(200, { "content-type": "application/json" });
				response.end(
					JSON.stringify({
						id: "m",
						type: "message",
						role: "assistant",
						model: "big",
						content: [{ type: "text", text: "bonjour" }],
						stop_reason: "end_turn",
						usage: { input_tokens: 3, output_tokens: 2 },
					}),
				);
			});
		});
		await new Promise<void>((resolve) =>
			vendor.listen(0, "127.0.0.1", resolve),
		);
		try {
			mkdirSync(dos.home);
			const base = `http://127.0.0.1:${(vendor.address() as AddressInfo).port}/v1`;
			writeFileSync(
				join(dos.home, "config.yaml"),
				`vendors:\n  acme: {protocol: anthropic-messages, base: "${base}", key: sk-acme, local: true}\nmodels: {big: acme/big}\n`,
				{ mode: 0o600 },
			);
			await dos.run("init");
			const { text } = await dos.json("call", "-m", "big", "salut");
			expect(text).toBe("bonjour");
			expect(asked).toEqual([{ path: "/v1/messages", key: "sk-acme" }]);
		} finally {
			await new Promise((resolve) => vendor.close(resolve));
		}
	});
});

describe("start", () => {
	it("sets up an empty home, says how to call, serves, and stops when asked", async () => {
		const server = await dos.serve();
		const said = server.said();
		const [key] = secret.exec(said) as RegExpExecArray;
		expect(said).toContain(`curl ${server.url}/v1/chat/completions`);
		const answer = await fetch(`${server.url}/v1/chat/completions`, {
			method: "POST",
			headers: {
				authorization: `Bearer ${key}`,
				"content-type": "application/json",
			},
			body: '{"model":"loopback/loopback","messages":[{"role":"user","content":"Hello"}]}',
		});
		expect(answer.status).toBe(200);
		expect((await dos.json("doctor")).checks).toContainEqual(
			expect.objectContaining({
				check: "server",
				state: "ok",
				message: expect.stringContaining(server.url),
			}),
		);
		server.process.kill("SIGTERM");
		expect(await server.ended).toMatchObject({
			code: 0,
			error: expect.stringContaining("Stopped."),
		});
		expect(existsSync(join(dos.home, "server.json"))).toBe(false);

		const second = await dos.serve();
		expect(second.said()).not.toMatch(secret);
	});

	it("knows a key that a command made a moment ago, and no longer one that it revoked", async () => {
		const server = await dos.serve();
		const { key, secret: text } = await dos.json(
			"key",
			"create",
			"--name",
			"new",
		);
		const ask = async () =>
			(
				await fetch(`${server.url}/v1/account`, {
					headers: { authorization: `Bearer ${text}` },
				})
			).status;
		expect(await ask()).toBe(200);
		await dos.run("key", "revoke", key);
		expect(await ask()).toBe(401);
	});

	it("says of a vendor with settings why it is off", async () => {
		await dos.run("init");
		writeFileSync(
			join(dos.home, "config.yaml"),
			"vendors:\n  mine:\n    protocol: openai-chat\n    base: http://example.com/v1\n  groq:\n    enabled: false\n",
			{ mode: 0o600 },
		);
		const server = await dos.serve();
		server.process.kill("SIGTERM");
		const { error } = await server.ended;
		expect(error).toContain("warning: mine has settings and is off");
		expect(error).not.toContain("groq");
	});

	it("says who has the port", async () => {
		const { url } = await dos.serve();
		const port = new URL(url).port;
		const mine = await dos.run("start", "--port", port);
		expect(mine.code).toBe(3);
		expect(mine.error).toContain("This home's server runs already");
		const others = await dos.run(
			"start",
			"--port",
			port,
			"--home",
			`${dos.home}-2`,
			"--json",
		);
		expect(JSON.parse(others.error).error).toMatchObject({
			code: "http/address-in-use",
			message: expect.stringContaining("another program"),
		});
	});

	it("does not listen to the world unless told so", async () => {
		const { code, error } = await dos.run(
			"start",
			"--host",
			"0.0.0.0",
			"--port",
			"0",
		);
		expect(code).toBe(2);
		expect(error).toContain("(listen/insecure)");
		expect(existsSync(dos.home)).toBe(false);
	});

	it("waits for a call in flight, says so, and stops at once when asked again", async () => {
		// A vendor that never ends its answer.
		const vendor = createServer((request, response) => {
			request.resume();
			response.writeHead(200, { "content-type": "text/event-stream" });
			response.write(
				'data: {"choices":[{"index":0,"delta":{"content":"so far"}}]}\n\n',
			);
		});
		await new Promise<void>((resolve) =>
			vendor.listen(0, "127.0.0.1", resolve),
		);
		try {
			mkdirSync(dos.home);
			const base = `http://127.0.0.1:${(vendor.address() as AddressInfo).port}/v1`;
			writeFileSync(
				join(dos.home, "config.yaml"),
				`vendors:\n  slow: {protocol: openai-chat, base: "${base}", local: true}\n`,
			);
			const server = await dos.serve();
			const [key] = secret.exec(server.said()) as RegExpExecArray;
			const answer = await fetch(`${server.url}/v1/chat/completions`, {
				method: "POST",
				headers: {
					authorization: `Bearer ${key}`,
					"content-type": "application/json",
				},
				body: '{"model":"slow/m","stream":true,"messages":[{"role":"user","content":"x"}]}',
			});
			const reader = answer.body?.getReader();
			await reader?.read();
			server.process.kill("SIGINT");
			await expect
				.poll(server.said, { timeout: 5_000 })
				.toContain("Waiting for 1 call in flight");
			server.process.kill("SIGINT");
			expect((await server.ended).code).toBe(0);
			await reader?.cancel().catch(() => {});
			expect(await dos.json("credits", "balance")).toMatchObject({
				held: 0,
				holds: [],
			});
		} finally {
			vendor.closeAllConnections();
			await new Promise((resolve) => vendor.close(resolve));
		}
	});
});

describe("the log", () => {
	beforeEach(() => dos.run("init"));

	it("goes out and into another home with the same root, and the same answers", async () => {
		await dos.run("call", "-m", "loopback/loopback", "x");
		const file = `${dos.home}.jsonl`;
		const { events } = await dos.json("export", file);
		expect((await dos.run("export", file)).code).toBe(3);
		const other = `${dos.home}-2`;
		const imported = await dos.json("import", file, "--home", other);
		expect(imported.events).toBe(events);
		expect((await dos.json("audit", "verify")).root).toBe(imported.root);
		expect((await dos.json("audit", "verify", "--home", other)).root).toBe(
			imported.root,
		);
		for (const words of [
			["credits", "statement"],
			["key", "list"],
			["credits", "balance"],
		]) {
			expect(await dos.json(...words, "--home", other)).toEqual(
				await dos.json(...words),
			);
		}
		expect((await dos.run("import", file, "--home", other)).error).toContain(
			"(import/not-empty)",
		);

		const piped = await dos.run("export");
		expect(piped.out).toBe(readFileSync(file, "utf8"));
		const cut = await dos.with({ input: piped.out.slice(0, -200) })(
			"import",
			"-",
			"--home",
			`${dos.home}-3`,
		);
		expect(cut.code).toBe(3);
		const stranger = await dos.run(
			"import",
			file,
			"--home",
			`${dos.home}-4`,
			"--trust",
			"x+00000000+AAAA",
		);
		expect(stranger.code).not.toBe(0);
	});

	it("that was altered is found out, and where", async () => {
		await dos.run("credits", "grant", "7", "--note", "small");
		await dos.run("audit", "checkpoint");
		expect(await dos.json("audit", "verify")).toMatchObject({
			ok: true,
			checkpoints: 1,
		});
		const database = new DatabaseSync(join(dos.home, "dos.db"));
		database.exec(
			"update event set data = replace(data, '\"amount\":7000000', '\"amount\":9000000')",
		);
		const { changes } = database
			.prepare("select changes() as changes")
			.get() as { changes: number };
		database.close();
		expect(changes).toBeGreaterThan(0);
		const { code, out } = await dos.run("audit", "verify");
		expect(code).toBe(1);
		expect(out).toContain("audit/event-altered");
		expect(out).toMatch(/Event 4 /);
	});

	it.each([
		["removed", "delete from event where position = 2", /Event 2 /],
		[
			"removed at its start",
			"delete from event where position = 1",
			/Event 1 /,
		],
		[
			"altered beyond reading",
			"update event set data = '{' where position = 2",
			/Event 2 /,
		],
	])(
		"that had an event %s is still walked, and says where",
		async (_, statement, where) => {
			await dos.run("audit", "checkpoint");
			const database = new DatabaseSync(join(dos.home, "dos.db"));
			database.exec(statement);
			database.exec("delete from derived");
			database.close();
			const { code, out, error } = await dos.run("audit", "verify");
			expect([code, error]).toEqual([1, ""]);
			expect(out).toMatch(where);
		},
	);

	it("tells a checkpoint that cannot be believed from a log that was altered", async () => {
		const { out: note } = await dos.run("audit", "checkpoint");
		const kept = `${dos.home}.txt`;
		writeFileSync(kept, note.replace(/^duranteos\//, "duranteus/"));
		const refused = await dos.run("audit", "verify", "--checkpoint", kept);
		expect(refused.code).toBe(1);
		expect(refused.out).toContain("The log fits itself");
		expect(refused.out).not.toContain("dos import");
		writeFileSync(kept, "a shopping list");
		const none = await dos.run("audit", "verify", "--checkpoint", kept);
		expect(none.code).toBe(3);
		expect(none.error).toContain("(file/no-checkpoint)");
		const key = await dos.run("audit", "verify", "--trust", "duranteos+1+A");
		expect(key.code).toBe(2);
		expect(key.error).toContain("is no verifier key");
	});

	it("prints a checkpoint alone, so that it can be kept", async () => {
		const { out } = await dos.run("audit", "checkpoint");
		expect(out).toMatch(
			/^duranteos\/[0-9a-f]{32}\n3\n\S{44}\n\n— duranteos \S+\n$/,
		);
		const file = `${dos.home}.txt`;
		writeFileSync(file, out);
		expect(
			await dos.json("audit", "verify", "--checkpoint", file),
		).toMatchObject({ ok: true, checkpoints: 2 });
	});
});

describe("words that were not enough", () => {
	beforeEach(() => dos.run("init"));

	it("a refund says how much is left, or that there is no such call", async () => {
		const { call, receipt } = await dos.json("call", "-m", "loopback", "x");
		const refund = (...words: string[]) =>
			dos.run("credits", "refund", ...words, "--reason", "a test");
		expect((await refund(call, "--amount", "0.001")).code).toBe(0);
		const left = ((receipt.charged - 1_000) / 1_000_000).toString();
		const more = await refund(call, "--amount", "5");
		expect(more.code).toBe(1);
		expect(more.error).toContain(`0.001 were given back, ${left} are left.`);
		const unknown = await refund("call_x");
		expect(unknown.error).toContain("No call has this id");
	});

	it("a grant of nothing and a time that cannot be are refused before anything is done", async () => {
		for (const [words, why] of [
			[["credits", "grant", "0"], "more than nothing"],
			[["credits", "grant", "0.0000001"], "at most six decimals"],
			[
				["credits", "statement", "--since", "1d", "--until", "2026-01-01"],
				"not before --until",
			],
		] as const) {
			const { code, error } = await dos.run(...words);
			expect([code, error]).toEqual([2, expect.stringContaining(why)]);
		}
		const elsewhere = await dos.run("credits", "grant", "1", "--account", "no");
		expect(elsewhere.error).toContain("There is: main");
	});

	it("help finds a command of a group, and refuses one that there is not", async () => {
		expect((await dos.run("help", "key", "create")).out).toContain("--cap-day");
		expect((await dos.run("help", "call", "me")).out).toContain("--max-tokens");
		expect((await dos.run("help", "sync-check")).out).toContain("--explain");
		const { code, error } = await dos.run("help", "keys");
		expect([code, error]).toEqual([2, expect.stringContaining("mean key?")]);
	});

	it("a call that was answered before says so", async () => {
		const ask = ["call", "-m", "loopback", "x", "--idempotency-key", "one"];
		expect((await dos.run(...ask, "--no-stream")).error).not.toContain(
			"before",
		);
		expect((await dos.run(...ask, "--no-stream")).error).toContain(
			"Answered before under the same idempotency key",
		);
	});
});

describe("what is there", () => {
	it("vendors are listed with why they are off, and never with their keys", async () => {
		const run = dos.with({ environment: { OPENAI_API_KEY: "sk-very-secret" } });
		const { code, out } = await run("vendors");
		expect(code).toBe(0);
		expect(out).toMatch(/^openai +on +OPENAI_API_KEY/m);
		expect(out).toMatch(/^anthropic +off +set ANTHROPIC_API_KEY/m);
		const document = await run("vendors", "--json");
		expect(JSON.parse(document.out).vendors).toContainEqual(
			expect.objectContaining({ vendor: "openai", on: true }),
		);
		expect(out + document.out).not.toContain("very-secret");
	});

	it("models are those of the vendors that are on, with prices", async () => {
		const run = dos.with({ environment: { OPENAI_API_KEY: "sk-x" } });
		expect((await run("models", "gpt-4o-mini")).out).toMatch(
			/openai\/gpt-4o-mini/,
		);
		const { models } = JSON.parse(
			(await run("models", "OPENAI/gpt-4o-mini", "--json")).out,
		);
		expect(models[0]).toMatchObject({
			model: "openai/gpt-4o-mini",
			on: true,
			input: expect.any(Number),
			output: expect.any(Number),
		});
		expect((await dos.run("models", "gpt-4o-mini")).out).toContain("--all");
		expect((await dos.run("models", "gpt-4o-mini", "--all")).out).toContain(
			"openai/gpt-4o-mini",
		);
	});

	it("doctor says what to mend", async () => {
		await dos.run("init");
		chmodSync(dos.home, 0o755);
		writeFileSync(
			join(dos.home, "config.yaml"),
			`models: {fast: nobody/m}\nvendors: {openai: {key: "\${NOT_SET}"}}\n`,
		);
		const { code, out } = await dos.run("doctor");
		expect(code).toBe(1);
		expect(out).toContain(`chmod 700 ${dos.home}`);
		expect(out).toContain("models.fast names a vendor that is not known");
		expect(out).toContain("NOT_SET");
		expect(await dos.run("doctor", "--json")).toMatchObject({
			code: 1,
			error: "",
		});
	});

	it("is plain text in a pipe, and coloured when asked", async () => {
		await dos.run("init");
		expect((await dos.run("doctor")).out).not.toContain("\u001b");
		expect((await dos.run("doctor", "--color")).out).toContain("\u001b[32m");
		expect(
			(
				await dos.with({ environment: { FORCE_COLOR: "1" } })(
					"doctor",
					"--no-color",
				)
			).out,
		).not.toContain("\u001b");
	});
});
