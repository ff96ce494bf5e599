import {
	chmodSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dos, openDos } from "./dos.ts";

/*
 * A person's tools, connected by the real command to a gateway that runs, and given back as they were.
 * The person's own folder is the one around the home; it is also where commands run, and so the project.
 */

const tools = [
	"claude-code",
	"codex",
	"gemini-cli",
	"opencode",
	"cursor",
	"env",
] as const;
const secret = /dos_sk_[0-9A-Za-z]{43}/;

let dos: Dos;
let person: string;
let url: string;
beforeAll(async () => {
	dos = openDos();
	person = dirname(dos.home);
	({ url } = await dos.serve());
});
afterAll(() => dos.close());

const path = (name: string) => join(person, name);
const read = (name: string) => readFileSync(path(name), "utf8");
function write(name: string, text: string, mode = 0o644): void {
	mkdirSync(dirname(path(name)), { recursive: true });
	writeFileSync(path(name), text);
	chmodSync(path(name), mode);
}
/** Every file of the person's but those of the home, with bytes and mode. */
const everything = () =>
	Object.fromEntries(
		readdirSync(person, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile())
			.map((entry) => join(entry.parentPath, entry.name))
			.filter(
				(file) =>
					!file.startsWith(dos.home) && !file.startsWith(path(".cache")),
			)
			.map((file) => [
				file,
				[readFileSync(file, "latin1"), statSync(file).mode & 0o777],
			]),
	);
// biome-ignore lint/suspicious/noExplicitAny: what a command prints is what the test looks at.
const listed = async (): Promise<any> => dos.json("connect", "--list");

describe("a person's tools", () => {
	it("are connected, work with a key of their own, and are given back byte for byte", async () => {
		write(
			".claude/settings.json",
			'{\r\n\t// mine\r\n\t"permissions": {"allow": []},\r\n\t"env": {"ANTHROPIC_API_KEY": "sk-mine", "A": "b",},\r\n}',
			0o664,
		);
		write(
			".codex/config.toml",
			'model_provider = "openai" # mine\n\n[tools]\nweb_search = true',
		);
		write(".gemini/.env", "# mine\nexport GEMINI_API_KEY='old'\n", 0o600);
		write(".config/opencode/opencode.jsonc", '{"theme":"x"}\n');
		const before = everything();

		for (const tool of tools.filter((one) => one !== "cursor")) {
			const done = await dos.json("connect", tool);
			expect(done).toMatchObject({ tool, url, project: null });
			expect(done.tried).toMatchObject({
				works: true,
				substrate: expect.stringMatching(/^loopback\//),
			});
		}

		const keys = (await dos.json("key", "list")).keys as {
			name: string;
			spent: number;
			can: string[];
		}[];
		for (const tool of tools.filter((one) => one !== "cursor"))
			expect(keys.find(({ name }) => name === tool)).toMatchObject({
				can: ["call", "read"],
				spent: expect.toSatisfy((spent: number) => spent > 0),
			});

		expect(
			JSON.parse(
				read(".claude/settings.json")
					.replace("// mine", "")
					.replace(",}", "}")
					.replace(/,(?=\s*\}$)/, ""),
			),
		).toMatchObject({
			permissions: { allow: [] },
			env: {
				A: "b",
				ANTHROPIC_BASE_URL: url,
				ANTHROPIC_AUTH_TOKEN: expect.stringMatching(secret),
				ANTHROPIC_API_KEY: "",
			},
		});
		expect(read(".codex/config.toml")).toBe(
			`model_provider = "dos" # mine\n\n[tools]\nweb_search = true\n\n[model_providers.dos]\nname = "DuranteOS"\nbase_url = "${url}/v1"\nwire_api = "responses"\nexperimental_bearer_token = "${secret.exec(read(".codex/config.toml"))?.[0]}"\n`,
		);
		expect(read(".gemini/.env")).toMatch(
			/^# mine\nexport GEMINI_API_KEY=dos_sk_\w+\nGOOGLE_GEMINI_BASE_URL=http/,
		);
		for (const name of [
			".claude/settings.json",
			".codex/config.toml",
			".gemini/.env",
			".config/opencode/opencode.jsonc",
		])
			expect(statSync(path(name)).mode & 0o077, name).toBe(0);

		const { ok, connections } = await listed();
		expect({
			ok,
			tools: connections.map((one: { tool: string }) => one.tool).sort(),
		}).toEqual({
			ok: true,
			tools: tools.filter((one) => one !== "cursor").toSorted(),
		});

		for (const tool of tools.filter((one) => one !== "cursor")) {
			const { files } = await dos.json("disconnect", tool);
			for (const { how } of files) expect(how).toMatch(/^(restored|deleted)$/);
		}
		expect(everything()).toEqual(before);
		const left = (await dos.json("key", "list")).keys as { name: string }[];
		expect(
			left.filter(({ name }) => tools.some((one) => one === name)),
		).toEqual([]);
		expect((await listed()).connections).toEqual([]);
		expect(existsSync(join(dos.home, "connections", "codex"))).toBe(false);
	}, 120_000);

	it("connecting twice changes nothing but what is asked; the key stays until --new-key", async () => {
		const key = () => secret.exec(read(".codex/config.toml"))?.[0];
		await dos.json("connect", "codex", "--model", "fast/model");
		const first = key();
		const bytes = read(".codex/config.toml");
		await dos.json("connect", "codex");
		expect(read(".codex/config.toml")).toBe(bytes);
		expect(bytes).toContain('model = "fast/model"');
		await dos.json("connect", "codex", "--new-key");
		expect(key()).not.toBe(first);
		expect((await listed()).ok).toBe(true);
		const other = await dos.json("connect", "codex", "--print");
		expect(other.print).toContain(key());
		expect(other.wrote).toEqual([path(".codex/config.toml")]);
		await dos.json("disconnect", "codex");
	}, 60_000);

	it("says what does not work, and why", async () => {
		await dos.json("connect", "gemini-cli");
		write(".gemini/.env", "", 0o600);
		const { keys } = await dos.json("key", "list");
		const { key } = keys.find(
			({ name }: { name: string }) => name === "gemini-cli",
		);
		await dos.json("key", "revoke", key);
		const { code, out } = await dos.run("connect", "--list");
		expect(code).toBe(1);
		expect(out).toMatch(
			/gemini-cli: does not work[\s\S]*failed:.*\(key\/revoked\)/,
		);
		expect(out).toContain(
			"GEMINI_API_KEY in ~/.gemini/.env is not as it was set",
		);
		expect(out).toContain("dos connect gemini-cli");
		expect((await dos.json("connect", "gemini-cli")).tried.works).toBe(true);
		expect((await listed()).ok).toBe(true);
		await dos.json("disconnect", "gemini-cli");
	}, 60_000);

	it("keeps what was changed since, and says so", async () => {
		write(".claude/settings.json", '{"a": 1}\n');
		await dos.json("connect", "claude-code");
		write(
			".claude/settings.json",
			read(".claude/settings.json").replace('"a": 1', '"a": 2'),
		);
		const { out } = await dos.run("disconnect", "claude-code");
		expect(out).toContain("your changes stay");
		expect(read(".claude/settings.json")).toBe('{"a": 2}\n');
	}, 60_000);

	it("touches no file that it cannot read, and makes no key for it", async () => {
		write(".claude/settings.json", "{ broken");
		const { code, error } = await dos.run("connect", "claude-code");
		expect({ code, error }).toMatchObject({
			code: 1,
			error: expect.stringMatching(
				/left as it is: line 1.*connection\/file-unclear/,
			),
		});
		expect(read(".claude/settings.json")).toBe("{ broken");
		const { keys } = await dos.json("key", "list");
		expect(keys.map(({ name }: { name: string }) => name)).not.toContain(
			"claude-code",
		);
	}, 60_000);
});

describe("a project", () => {
	it("has a connection of its own, and git is looked at", async () => {
		const { execFileSync } = await import("node:child_process");
		execFileSync("git", ["init", "-q"], { cwd: person });
		const { notes, wrote } = await dos.json("connect", "env", "--project");
		expect(wrote).toEqual([path(".env")]);
		expect(notes).toEqual([expect.stringContaining("git does not ignore it")]);
		expect(read(".env")).toContain(`ANTHROPIC_BASE_URL=${url}\n`);
		write(".gitignore", ".env\n");
		expect((await dos.json("connect", "env", "--project")).notes).toEqual([]);
		const wrong = await dos.run("disconnect", "env");
		expect(wrong.code).toBe(1);
		expect(wrong.error).toContain("with --project");
		await dos.json("disconnect", "env", "--project");
		expect(existsSync(path(".env"))).toBe(false);
	}, 60_000);

	it.each(["codex", "cursor"])(
		"is refused for %s, which takes none",
		async (tool) => {
			const { code, error } = await dos.run("connect", tool, "--project");
			expect(code).toBe(1);
			expect(error).toContain("harness/no-project");
		},
		60_000,
	);
});

describe("what is printed", () => {
	it("env: lines that a shell takes, and nothing else on standard output", async () => {
		const { out } = await dos.run("connect", "env");
		expect(out).toMatch(/^(export [A-Z_]+='[^']+'\n){6}$/);
		expect(out).toContain(`OPENAI_BASE_URL='${url}/v1'`);
		expect((await dos.run("connect", "env")).out).toBe(out);
		await dos.json("disconnect", "env");
	}, 60_000);

	it("cursor: steps by hand, and no claim that it works where it cannot", async () => {
		const done = await dos.json("connect", "cursor");
		expect(done.wrote).toEqual([]);
		expect(done.steps[0]).toContain("public https address");
		expect(done.tried).toMatchObject({
			works: false,
			code: "connection/blocked",
		});
		await dos.json("disconnect", "cursor");
	}, 60_000);
});

it.each([
	[["connect"], /Say which tool/],
	[["connect", "claude"], /did you mean "claude-code"/],
	[["connect", "codex", "--list"], /leave the tool out/],
	[["connect", "codex", "--url", "ftp://x"], /without a path/],
	[["connect", "codex", "--url", "https://x.example/v1"], /without a path/],
	[["connect", "codex", "--model", "a'b"], /vendor\/model/],
])("%j is answered with 2 and what is right", async (words, message) => {
	const { code, error } = await dos.run(...words);
	expect(code).toBe(2);
	expect(error).toMatch(message);
});
