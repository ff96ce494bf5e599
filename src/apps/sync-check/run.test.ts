import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
	openRealFolder,
	type RealFolder,
} from "../../ports/file-tree.fixture.ts";
import { runSyncCheck } from "./run.ts";

let ground: RealFolder;
beforeEach(() => {
	ground = openRealFolder();
});
afterEach(() => ground.end());

function write(manifest: unknown): void {
	ground.put(".dos-sync-manifest.json", JSON.stringify(manifest));
}

interface Ran {
	readonly code: number;
	readonly out: string;
	readonly error: string;
}

async function run(...words: readonly string[]): Promise<Ran> {
	let out = "";
	let error = "";
	const code = await runSyncCheck(
		words,
		{
			out: { write: (text: string) => (out += text) },
			error: { write: (text: string) => (error += text) },
		},
		{ folder: ground.folder, environment: { HOME: `${ground.folder}/home` } },
	);
	return { code, out, error };
}

const hashOf = (text: string) =>
	createHash("sha256").update(text).digest("hex");

interface Json {
	readonly exit_code: number;
	readonly total: number;
	readonly total_identical: number;
	readonly counts: Readonly<Record<string, number>>;
	readonly files: readonly {
		readonly relative_path: string;
		readonly status: string;
		readonly note?: string;
	}[];
}

async function json(...words: readonly string[]): Promise<Json> {
	return JSON.parse((await run("--json", ...words)).out) as Json;
}

async function rows(): Promise<Readonly<Record<string, string>>> {
	const { files } = await json("--full");
	return Object.fromEntries(
		files.map(({ relative_path, status }) => [relative_path, status]),
	);
}

/** The essay's own manifest: file pairs, an alias, one-sided files. */
function published(): void {
	write({
		pairs: [
			{ a: "live/skills/S.md", b: "Releases/skills/S.md" },
			{ a: "live/tool.ts", b: "Releases/tool.ts" },
		],
		aliases: { "live/mempalace_bridge.py": "Packs/src/bridge.py" },
		live_only: ["live/own.md"],
		submodule_only: [],
		fix_direction: "live_to_submodule",
	});
	ground.put("live/skills/S.md", "skill");
	ground.put("Releases/skills/S.md", "skill");
	ground.put("live/tool.ts", "tool");
	ground.put("Releases/tool.ts", "tool");
	ground.put("live/mempalace_bridge.py", "bridge");
	ground.put("Packs/src/bridge.py", "bridge");
}

describe("as published", () => {
	beforeEach(published);

	it("0 when synced, with a summary", async () => {
		const { code, out } = await run();
		expect(code).toBe(0);
		expect(out).toContain("in sync: 3 rows");
	});

	it("1 on drift, named in --full and in --json", async () => {
		ground.put("Releases/tool.ts", "tool!");
		expect((await run()).code).toBe(1);
		expect((await run("--full")).out).toMatch(/DRIFT +Releases\/tool\.ts/);
		const told = await json();
		expect(told).toMatchObject({ exit_code: 1, total: 3, total_identical: 2 });
		expect(told.files).toHaveLength(1);
		expect((await json("--full")).files).toHaveLength(3);
	});

	it("an alias is a rename whose bytes must be equal", async () => {
		ground.put("Packs/src/bridge.py", "another");
		expect((await run()).code).toBe(1);
	});

	it("a missing side is drift, on either side", async () => {
		ground.remove("Releases/tool.ts");
		ground.remove("live/skills/S.md");
		const { counts } = await json();
		expect(counts).toMatchObject({ MISSING: 1, EXTRA: 1 });
	});

	it("--fix copies in the declared direction, and only there", async () => {
		ground.put("Releases/tool.ts", "tool!");
		ground.remove("Releases/skills/S.md");
		expect((await run("--fix", "--dry-run")).code).toBe(1);
		expect(ground.read("Releases/tool.ts")).toBe("tool!");
		const fixed = await run("--fix");
		expect(fixed.code, fixed.error).toBe(0);
		expect(ground.read("Releases/tool.ts")).toBe("tool");
		expect(ground.read("Releases/skills/S.md")).toBe("skill");
		expect((await run("undo")).code).toBe(1);
		expect(ground.read("Releases/tool.ts")).toBe("tool!");
	});

	it("--fix --dry-run tells exactly what --fix does", async () => {
		ground.put("Releases/tool.ts", "tool!");
		ground.remove("Packs");
		const said = (await run("--fix", "--dry-run")).out
			.split("\n")
			.filter((line) => line.startsWith("would "))
			.map((line) =>
				line
					.replace(/^would /, "")
					.split(/ +/)
					.slice(0, 2),
			);
		const did = (await run("--fix")).out
			.split("\n")
			.filter((line) => /^(create|overwrite)/.test(line))
			.map((line) => line.split(/ +/).slice(0, 2));
		expect(said).toEqual(did);
		expect(did).toHaveLength(2);
	});

	it("a dry run knows that nothing can be put below a file, and says what bits it would set", async () => {
		write({ pairs: [{ a: "live", b: "copy" }] });
		ground.put("live/d/x", "1");
		ground.put("copy/d", "a file in the way");
		ground.put("live/run", "#!", 0o755);
		ground.put("copy/run", "#!", 0o644);
		const said = (await run("--fix", "--dry-run", "live/d")).out;
		expect(said).not.toContain("would create");
		expect(said).toContain("copy/d is no folder");
		expect((await run("--fix", "--dry-run", "live/run")).out).toMatch(
			/would chmod +copy\/run to 755/,
		);
		const fixed = await run("--fix");
		expect(fixed.code).toBe(1);
		expect(fixed.out).not.toContain("failed");
		expect(ground.read("copy/d")).toBe("a file in the way");
	});

	it("a copy that is the source of another is fixed in one go, foretold and undone in one go", async () => {
		write({
			pairs: [
				{ a: "one", b: "two" },
				{ a: "two", b: "three" },
			],
		});
		const lines = (text: string) =>
			text
				.split("\n")
				.map((line) => line.replace(/^would /, "").replace(/ +/g, " "))
				.filter((line) => /^(create|overwrite)/.test(line));
		for (const [text, before] of [
			["1", ""],
			["2", "1"],
		] as const) {
			ground.put("one", text);
			const said = lines((await run("--fix", "--dry-run")).out);
			const fixed = await run("--fix");
			expect(fixed.code).toBe(0);
			expect(lines(fixed.out)).toEqual(said);
			expect(said).toHaveLength(2);
			expect(ground.read("three")).toBe(text);
			await run("undo");
			const { three } = ground.snapshot("three");
			expect(three?.slice(4) ?? "").toBe(before);
			await run("--fix");
		}
	});

	it("a fix says in JSON what it did, what it left, and what is left", async () => {
		await run();
		ground.put("live/tool.ts", "tool 2");
		ground.put("Releases/skills/S.md", "edited");
		const { out, code } = await run("--fix", "--json");
		expect(code).toBe(1);
		expect(JSON.parse(out)).toMatchObject({
			exit_code: 1,
			fix: {
				operations: [
					{
						action: "overwrite",
						path: `${ground.folder}/Releases/tool.ts`,
					},
				],
				refused: [{ status: "EDITED" }],
				failed: [],
			},
			counts: { EDITED: 1, SYNCED: 2 },
		});
		const left = await run("--fix", "--dry-run", "--json");
		expect(JSON.parse(left.out)).toMatchObject({
			exit_code: 1,
			operations: [],
		});
		expect((await run("--fix", "--summary")).out).toBe(
			"drift: 1 of 3 rows (1 EDITED)\n",
		);
		// A way out can be copied from where it is told.
		expect((await run("--fix")).out).toContain("--adopt Releases/skills/S.md)");
	});

	it("an undo goes around what was edited since, and says where the rest lies", async () => {
		ground.put("Releases/tool.ts", "before");
		await run("--fix");
		ground.put("Releases/tool.ts", "edited since");
		const { code, out } = await run("undo");
		expect(code).toBe(1);
		expect(out).toContain("what it was before is Releases/tool.ts.dos-before");
		expect(ground.read("Releases/tool.ts.dos-before")).toBe("before");
		expect((await run("undo")).error).toContain("no fix to undo");
	});

	it("submodule_to_live turns everything around", async () => {
		write({
			pairs: [{ a: "live/tool.ts", b: "Releases/tool.ts" }],
			fix_direction: "submodule_to_live",
		});
		ground.put("Releases/tool.ts", "right");
		expect((await run("--fix")).code).toBe(0);
		expect(ground.read("live/tool.ts")).toBe("right");
	});

	it("2 and line and column when the manifest is wrong", async () => {
		ground.put(".dos-sync-manifest.json", '{\n  "pairs": [{"a": 1}]\n}');
		const { code, error } = await run();
		expect(code).toBe(2);
		expect(error).toContain(".dos-sync-manifest.json:2:19:");
		expect((await run("--json")).out).toContain('"line": 2');
	});

	it("2 for a command line that is none", async () => {
		for (const words of [
			["--bogus"],
			["--dry-run"],
			["--fix", "--adopt", "x"],
			["--manifest", "none.json"],
			["--format", "xml"],
			["no/such/row"],
		])
			expect((await run(...words)).code, words.join(" ")).toBe(2);
	});

	it("2 for a manifest that is a pipe, a folder or in UTF-16", async () => {
		const path = `${ground.folder}/.dos-sync-manifest.json`;
		ground.remove(".dos-sync-manifest.json");
		execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", path]);
		expect((await run()).error).toContain("is no file");
		ground.remove(".dos-sync-manifest.json");
		ground.put(".dos-sync-manifest.json/x", "");
		expect((await run()).code).toBe(2);
		ground.remove(".dos-sync-manifest.json");
		writeFileSync(path, Buffer.from('\ufeff{"pairs": []}', "utf16le"));
		expect((await run()).error).toContain("save it as UTF-8");
	});

	it("is found upwards, and stays quiet when asked to", async () => {
		let out = "";
		const stream = { write: (text: string) => (out += text) };
		const code = await runSyncCheck(
			["--quiet"],
			{ out: stream, error: stream },
			{ folder: `${ground.folder}/live/skills`, environment: {} },
		);
		expect(code).toBe(0);
		expect(out).toBe("");
		expect((await run("--summary")).out).toBe("in sync: 3 rows\n");
	});
});

describe("the three legitimate divergences", () => {
	it("symlink mode: one file by two names is LINKED", async () => {
		write({
			pairs: [
				{ a: "live", b: "release" },
				{ a: "x", b: "y" },
			],
		});
		ground.put("live/f", "1");
		ground.putLink("release", "live");
		ground.put("x", "2");
		ground.putLink("y", "x");
		const { code, out } = await run();
		expect(code).toBe(0);
		expect(out).toMatch(/LINKED +2/);
		expect(await rows()).toEqual({ f: "LINKED", "": "LINKED" });
	});

	it("customer mode: what is meant to differ is declared, and nothing else may", async () => {
		const diverge = {
			role: "customer",
			path: "config.json",
			reason: "customers have their own",
			owner: "me",
			hashes: { canonical: hashOf("ours"), copy: hashOf("theirs") },
		};
		const manifest = (more: object = {}) => ({
			version: 2,
			roles: { live: "live", customer: "customer" },
			canonical: "live",
			sets: [{ name: "s", path: ".", diverge: [{ ...diverge, ...more }] }],
		});
		write(manifest());
		ground.put("live/config.json", "ours");
		ground.put("customer/config.json", "theirs");
		expect((await run()).code).toBe(0);
		expect(await rows()).toEqual({ "config.json": "DECLARED" });
		ground.put("customer/config.json", "changed");
		expect((await run()).code).toBe(1);
		expect(await rows()).toEqual({ "config.json": "DECLARED-CHANGED" });
		expect((await run("--fix")).code).toBe(1);
		expect(ground.read("customer/config.json")).toBe("changed");
		ground.put("customer/config.json", "theirs");
		write(manifest({ expires: "2020-01-01" }));
		expect(await rows()).toEqual({ "config.json": "DECLARED-CHANGED" });
	});

	it("another name: an alias inside two folders is neither missing nor extra", async () => {
		write({
			pairs: [{ a: "live", b: "pack" }],
			aliases: { "live/mempalace_bridge.py": "pack/bridge.py" },
			live_only: ["live/notes"],
		});
		ground.put("live/mempalace_bridge.py", "bridge");
		ground.put("pack/bridge.py", "bridge");
		ground.put("live/notes/own.md", "mine");
		expect((await run()).code).toBe(0);
		ground.put("pack/mempalace_bridge.py", "left behind");
		expect((await json()).counts.EXTRA).toBe(1);
	});
});

describe("version 2", () => {
	it("keeps N copies of every artifact of a glob, also those only a copy has", async () => {
		write({
			version: 2,
			roles: { live: "live", release: "release", pack: "packs" },
			canonical: "live",
			unknown_drift: "refuse",
			sets: [
				{
					name: "skills",
					paths: {
						live: "skills/*",
						release: "skills/*",
						pack: "*/src",
					},
					exclude: ["*.log"],
					renames: { pack: { "SKILL.md": "Skill.md" } },
					only: { pack: ["/package.json"] },
				},
			],
		});
		ground.put("live/skills/one/SKILL.md", "1");
		ground.put("live/skills/one/debug.log", "x");
		ground.put("live/skills/two/SKILL.md", "2");
		ground.put("release/skills/three/SKILL.md", "3");
		ground.put("packs/one/src/package.json", "{}");
		const told = await json("--full");
		expect(told.counts).toMatchObject({ MISSING: 4, EXTRA: 1, DECLARED: 1 });
		const fixed = await run("--fix");
		expect(fixed.code).toBe(1);
		expect(ground.read("packs/two/src/Skill.md")).toBe("2");
		expect(ground.read("release/skills/one/SKILL.md")).toBe("1");
		expect((await run("--adopt", "release/skills/three")).code).toBe(0);
		expect(ground.read("live/skills/three/SKILL.md")).toBe("3");
	});

	it("refuses what nobody remembers, unless told", async () => {
		write({
			version: 2,
			roles: { a: "a", b: "b" },
			canonical: "a",
			sets: [{ name: "s", path: "f" }],
		});
		ground.put("a/f", "1");
		ground.put("b/f", "2");
		const refused = await run("--fix");
		expect(refused.code).toBe(1);
		expect(refused.out).toMatch(/--adopt.*--force.*--merge/);
		expect(refused.out).toContain("-2\n");
		expect(ground.read("b/f")).toBe("2");
		expect((await run("--fix", "--force", "b/f")).code).toBe(0);
		expect(ground.read("b/f")).toBe("1");
	});

	it("symlink mode makes links, and takes nothing else for one", async () => {
		write({
			version: 2,
			roles: { a: "a", b: "b" },
			canonical: "a",
			sets: [{ name: "s", path: "d", mode: "symlink" }],
		});
		ground.put("a/d/f", "1");
		ground.put("a/d/g", "2");
		ground.put("b/d/g", "2");
		expect((await json()).counts).toMatchObject({ MISSING: 1, TYPE: 1 });
		await run("--fix", "--force");
		expect((await json()).counts.LINKED).toBe(2);
		expect((await run("undo")).code).toBe(1);
		expect((await json()).counts).toMatchObject({ MISSING: 1, TYPE: 1 });
	});

	it("a link out of a role's root is not looked through", async () => {
		ground.put("secret/f", "secret");
		ground.put("a/d/f", "1");
		ground.putLink("b", "secret");
		write({
			version: 2,
			roles: { a: "a", b: "real-b" },
			canonical: "a",
			sets: [{ name: "s", path: "d/f" }],
		});
		ground.put("real-b/x", "x");
		ground.putLink("real-b/d", "../secret");
		expect((await json()).counts.UNREADABLE).toBe(1);
		expect((await run("--fix", "--force")).code).toBe(1);
		expect(ground.read("secret/f")).toBe("secret");
	});

	it("migrate says the same in version 2", async () => {
		published();
		ground.put("live/d/x", "1");
		ground.put("Releases/d/x", "2");
		ground.put("live/d/own.md", "mine");
		write({
			pairs: [
				{ a: "live/tool.ts", b: "Releases/tool.ts" },
				{ a: "live/d", b: "Releases/d" },
			],
			aliases: { "live/d/x": "Releases/d/y" },
			live_only: ["live/d/own.md"],
			exclude: ["*.log"],
			fix_direction: "submodule_to_live",
		});
		const before = (await json("--full")).counts;
		const migrated = await run("migrate", "--write");
		expect(migrated.code, migrated.error).toBe(0);
		expect(ground.read(".dos-sync-manifest.json")).toContain('"version": 2');
		expect((await json("--full")).counts).toEqual(before);
	});
});

describe("looking closer", () => {
	beforeEach(async () => {
		write({ pairs: [{ a: "a", b: "b" }] });
		ground.put("a/f", "1\n2\n3\n");
		ground.put("b/f", "1\n2\n3\n");
		await run("--quiet");
	});

	it("--explain tells both hashes, the base, the reason and the way out", async () => {
		ground.put("b/f", "1\nmine\n3\n");
		const { out, code } = await run("--explain", "b/f");
		expect(code).toBe(1);
		for (const part of [
			"EDITED",
			hashOf("1\n2\n3\n"),
			hashOf("1\nmine\n3\n"),
			"the copy was edited",
			"--adopt b/f",
			"-mine\n+2",
		])
			expect(out).toContain(part);
	});

	it("--merge writes a three-way merge beside the copy, from git's history", async () => {
		const git = (...words: string[]) =>
			execFileSync("git", ["-C", ground.folder, ...words], { stdio: "ignore" });
		git("init", "-q");
		git("add", "-A");
		git(
			"-c",
			"user.name=a",
			"-c",
			"user.email=a@example.org",
			"commit",
			"-qm",
			"x",
		);
		ground.put("a/f", "1\n2\n3\nsource\n");
		ground.put("b/f", "copy\n1\n2\n3\n");
		const { out } = await run("--merge", "b/f");
		expect(out).toContain("three-way, 0 conflicts");
		expect(ground.read("b/f.dos-merge")).toBe("copy\n1\n2\n3\nsource\n");
		expect((await json()).total).toBe(1);
	});

	it("formats for machines hold every row that differs", async () => {
		const name = 'x<&"%,:\n\u0001.md';
		ground.put(`b/${name}`, "extra");
		const sarif = JSON.parse((await run("--format", "sarif")).out) as {
			runs: { results: { ruleId: string }[] }[];
		};
		expect(sarif.runs[0]?.results.map(({ ruleId }) => ruleId)).toEqual([
			"EXTRA",
		]);
		const junit = (await run("--format=junit")).out;
		expect(junit).toContain('tests="2" failures="1"');
		expect(junit).toContain("x&lt;&amp;&quot;%,:&#10;\ufffd.md");
		expect(junit).toContain("EXTRA: is there without a/x");
		const github = (await run("--format", "github")).out;
		expect(github).toMatch(/^::error file=b\/x<&"%25%2C%3A%0A/);
		expect(github.split("\n")).toHaveLength(2);
		expect((await run("--full")).out).toContain('x<&"%,:\\u000a\\u0001.md');
	});

	it("--staged looks at what the commit will hold", async () => {
		const git = (...words: string[]) =>
			execFileSync("git", ["-C", ground.folder, ...words], { stdio: "ignore" });
		git("init", "-q");
		git("add", "-A");
		git(
			"-c",
			"user.name=a",
			"-c",
			"user.email=a@example.org",
			"commit",
			"-qm",
			"x",
		);
		expect((await run("--staged")).code).toBe(0);
		ground.put("a/f", "new");
		git("add", "a/f");
		ground.put("b/f", "new");
		// In order on the disk, but not in the commit.
		expect((await run()).code).toBe(0);
		expect((await run("--staged")).code).toBe(1);
		const told = await run("--staged", "--explain", "b/f");
		expect(told.code).toBe(1);
		expect(told.out).toMatch(/^EDITED {2}b\/f\n/);
		// The diff too is of what is staged: on the disk there is none.
		expect(told.out).toContain("-1\n-2\n-3\n+new\n");
		expect((await run("--staged", "--diff")).out).toContain("+new\n");
		expect((await run("--staged", "--explain", "b/g")).code).toBe(2);
		git("add", "b/f");
		expect((await run("--staged", "--summary")).out).toBe("in sync: 1 row\n");
	});

	it("--staged knows the sizes of what is staged", async () => {
		const git = (...words: string[]) =>
			execFileSync("git", ["-C", ground.folder, ...words]);
		git("init", "-q");
		expect((await run("--staged")).out).toContain("Nothing is staged");
		ground.put("b/f", "1\nmine\n3\n");
		git("add", "a", "b");
		ground.put("b/f", "not staged, and much longer than what is");
		const { out } = await run("--staged", "--explain", "b/f");
		expect(out).toContain(", 6 bytes, 644)");
		expect(out).toContain(", 9 bytes, 644)");
		write({ pairs: [{ a: "a/f", b: "b/f" }] });
		expect((await run("--staged", "--explain", "b/f")).out).toContain(
			", 9 bytes, 644)",
		);
	});

	it("init finds what is nearly the same beside an equal copy, and writes nothing when nothing is", async () => {
		ground.remove(".dos-sync-manifest.json");
		expect((await run("init", "--write")).code).toBe(2);
		expect((await run("--summary")).code).toBe(2);
		const text = Array.from({ length: 20 }, (_, at) => `line ${at}\n`).join("");
		ground.put("README.md", text);
		ground.put("site/index.md", text);
		ground.put("docs/README.md", `${text}one more\n`);
		const proposed = JSON.parse((await run("init")).out);
		expect(proposed.pairs).toEqual([
			{ a: "README.md", b: "docs/README.md" },
			{ a: "README.md", b: "site/index.md" },
		]);
	});

	it("init proposes folders that agree, and what it writes can be read", async () => {
		ground.remove(".dos-sync-manifest.json");
		for (const [path, text] of [
			["src/one.ts", "export const one = 1;\n".repeat(5)],
			["src/two.ts", "export const two = 2;\n".repeat(5)],
		] as const) {
			ground.put(path, text);
			ground.put(`vendor/lib/${path}`, text);
		}
		expect((await run("init", "--write")).code).toBe(0);
		expect(JSON.parse(ground.read(".dos-sync-manifest.json"))).toMatchObject({
			pairs: [{ a: "src", b: "vendor/lib/src" }],
		});
		expect((await run()).code).toBe(0);
	});

	it("--watch tells when something changes", async () => {
		let out = "";
		const controller = new AbortController();
		const watching = runSyncCheck(
			["--watch", "--summary"],
			{
				out: {
					write(text: string) {
						out += text;
						if (out.includes("drift")) controller.abort();
						else if (text.includes("1:2")) {
							ground.put("b/f", "edited");
							write({ pairs: [{ a: "a", b: "b" }] });
						} else if (text.includes("in sync"))
							ground.put(".dos-sync-manifest.json", "{");
					},
				},
				error: { write: () => {} },
			},
			{ folder: ground.folder, environment: {}, signal: controller.signal },
		);
		expect(await watching).toBe(1);
		// A manifest that is wrong for a while is told once, and the watch goes on.
		expect(out).toMatch(/in sync[\s\S]*:1:2: [\s\S]*drift/);
		expect(out.match(/:1:2: /g)).toHaveLength(1);
	});

	it("--watch leaves JSON as JSON, and names the rows that differ to a person", async () => {
		ground.put("b/f", "edited");
		for (const words of [["--watch", "--json"], ["--watch"]]) {
			let out = "";
			const controller = new AbortController();
			await runSyncCheck(
				words,
				{
					out: {
						write(text: string) {
							out += text;
							if (out.includes("EDITED")) controller.abort();
						},
					},
					error: { write: () => {} },
				},
				{ folder: ground.folder, environment: {}, signal: controller.signal },
			);
			if (words.length === 2) expect(JSON.parse(out).counts.EDITED).toBe(1);
			else expect(out).toMatch(/EDITED +b\/f/);
		}
	});

	it("--merge says why it leaves a row alone", async () => {
		expect((await run("--merge", "b/f")).out).toBe("Nothing to merge.\n");
		ground.put("b/f", "1\nmine\n3\n");
		ground.put("b/f.dos-merge", "from before");
		const { code, out } = await run("--merge", "b/f");
		expect(code).toBe(1);
		expect(out).toContain("b/f.dos-merge stands there already");
		expect(ground.read("b/f.dos-merge")).toBe("from before");
		ground.remove("b/f");
		expect((await run("--merge", "b/f")).out).toContain("it is MISSING");
	});

	it("a word that is an option without its dashes, and a misspelt option, are understood", async () => {
		expect((await run("fix")).error).toContain("did you mean --fix?");
		expect((await run("--sumary")).error).toContain("did you mean --summary?");
		expect((await run("help")).out).toContain("Usage:");
		expect((await run("--version")).out).toMatch(/^\d+\.\d+\.\d+/);
		expect((await run("init", "--full")).code).toBe(2);
	});

	it("a long run tells how far it is, on a terminal only, and wipes that away", async () => {
		let now = 0;
		const clock = vi.spyOn(performance, "now").mockImplementation(() => {
			now += 600;
			return now;
		});
		try {
			for (const isTTY of [true, false]) {
				let error = "";
				const code = await runSyncCheck(
					["--verify", "--summary"],
					{
						out: { write: () => {} },
						error: { isTTY, write: (text: string) => (error += text) },
					},
					{ folder: ground.folder, environment: {} },
				);
				expect(code).toBe(0);
				const wipe = "\r\u001b[K";
				if (isTTY)
					expect(
						error.endsWith(`${wipe}sync-check: reading 2 files${wipe}`),
						error,
					).toBe(true);
				else expect(error).toBe("");
			}
		} finally {
			clock.mockRestore();
		}
	});

	it("colour only where it is wanted", async () => {
		expect((await run("--full")).out).not.toContain("\u001b");
		expect((await run("--full", "--color")).out).toContain("\u001b[32m");
	});

	it("cannot be written: the check goes on, and says so", async () => {
		ground.remove(".dos-sync");
		ground.put(".dos-sync", "a file in the way");
		const { code, error } = await run();
		expect(code).toBe(0);
		expect(error).toContain("could not be remembered");
	});

	it("a damaged memory is told, not believed", async () => {
		ground.put(".dos-sync/state", "garbage");
		ground.put(".dos-sync/cache", "garbage");
		ground.put("b/f", "x");
		const { out, error } = await run("--full");
		expect(out).toContain("DRIFT");
		expect(error).toContain("damaged");
	});

	it.skipIf(process.getuid?.() === 0)(
		"an unreadable file is a row, not a crash",
		async () => {
			ground.put("b/f", "1\n2\n3\n", 0o000);
			expect((await json("--verify")).counts.UNREADABLE).toBe(1);
		},
	);

	it("a pipe is a row, and nobody waits for its writer", async () => {
		execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", `${ground.folder}/b/pipe`]);
		expect((await json()).counts.EXTRA).toBe(1);
		ground.put("a/pipe", "file");
		expect((await json()).counts.TYPE).toBe(1);
	});
});

describe("the program", () => {
	it.runIf(process.platform === "linux")(
		"that cannot say its answer ends with 2, never with 1",
		() => {
			const ran = spawnSync(
				"sh",
				[
					"-c",
					'exec "$0" "$1" --help > /dev/full',
					process.execPath,
					join(import.meta.dirname, "main.ts"),
				],
				{ encoding: "utf8" },
			);
			expect(ran.status, ran.stderr).toBe(2);
			expect(ran.stderr).toContain("failed and stopped");
		},
	);

	it("believes a large memory only when it is whole, though a thread was hired for its size", () => {
		write({ pairs: [{ a: "a", b: "b" }] });
		ground.put("a/f", "one");
		ground.put("b/f", "one");
		const main = join(import.meta.dirname, "main.ts");
		const run = () =>
			spawnSync(process.execPath, [main, "--summary"], {
				encoding: "utf8",
				cwd: ground.folder,
			});
		expect(run().stdout).toBe("in sync: 1 row\n");
		const cache = join(ground.folder, ".dos-sync/cache");
		writeFileSync(cache, Buffer.alloc(2_000_000, "half a memory"));
		ground.put("b/f", "two");
		expect(run()).toMatchObject({
			status: 1,
			stdout: "drift: 1 of 1 row (1 EDITED)\n",
			stderr: "",
		});
		expect(statSync(cache).size).toBeLessThan(2_000_000);
	});

	it("runs by itself, imports nothing that has to be installed, and prints the schema that ships", () => {
		const main = join(import.meta.dirname, "main.ts");
		const schema = spawnSync(process.execPath, [main, "schema"], {
			encoding: "utf8",
			cwd: "/",
		});
		expect(schema.status, schema.stderr).toBe(0);
		const { then: second, else: first } = JSON.parse(schema.stdout);
		expect(Object.keys(first.properties)).toEqual(
			expect.arrayContaining(["pairs", "aliases", "fix_direction"]),
		);
		expect(Object.keys(second.properties.sets.items.properties)).toEqual(
			expect.arrayContaining(["overrides", "diverge", "renames"]),
		);
		const seen = new Set<string>();
		const follow = (path: string): void => {
			if (seen.has(path)) return;
			seen.add(path);
			for (const [, specifier = ""] of readFileSync(path, "utf8").matchAll(
				/\b(?:from\s+|import\s+|import\s*\(\s*)"([^"]+)"/g,
			)) {
				expect(specifier, path).toMatch(/^(\.|node:)/);
				if (specifier.startsWith(".")) follow(join(path, "..", specifier));
			}
		};
		follow(main);
		expect(seen.size).toBeGreaterThan(15);
	});
});
