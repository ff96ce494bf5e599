import { spawnSync } from "node:child_process";
import {
	chmodSync,
	chownSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	realpathSync,
	rmSync,
	statSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDos } from "./e2e/dos.ts";

const root = join(import.meta.dirname, "..");
const program = join(root, "bin/dos.mjs");
const keeper = pathToFileURL(join(root, "bin/compiled-code.mjs")).href;
const syncCheck = join(root, "src/apps/sync-check/main.ts");
const isRoot = process.getuid?.() === 0;
const stranger = 65_534;

/** What Node says of each module for which it looks into what is kept. */
const asked = /V8 code cache for .* was /g;
const fitted = /V8 code cache for .* was accepted/g;

let home: string;
beforeEach(() => {
	home = realpathSync(mkdtempSync(join(tmpdir(), "dos-compiled-")));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe("dos", () => {
	it("is served from what a run before it left", () => {
		expect(run(program, "--help").served).toBe(0);
		const left = places();
		const again = run(program, "--help");
		expect(again.served).toBeGreaterThan(50);
		expect(again.served).toBe(again.asked);
		expect(places()).toEqual(left);
	});

	it("takes nothing that does not fit its sources", () => {
		run(program, "--version");
		const left = files();
		for (const file of left) writeFileSync(file, "something else");
		const { served, asked } = run(program, "--version");
		expect(asked).toBeGreaterThan(0);
		expect(served).toBe(0);
		// And leaves no more than before.
		expect(files()).toEqual(left);
		expect(run(program, "--version").served).toBe(asked);
	});

	it("makes its folders for this user alone", () => {
		run(program, "--version");
		const own = ownFolder();
		expect(statSync(own).mode & 0o777).toBe(0o700);
		expect(statSync(dirname(own)).mode & 0o777).toBe(0o700);
		expect(dirname(dirname(dirname(own)))).toBe(caches());
	});

	it("keeps what is newest of eight installations", () => {
		run(program, "--version");
		const all = dirname(ownFolder());
		for (let age = 1; age <= 12; age++) {
			const folder = join(all, `v1.0.0!old-${age}`, "v1.0.0-x64-0-0");
			mkdirSync(folder, { recursive: true });
			const then = new Date(Date.now() - age * 86_400_000);
			utimesSync(dirname(folder), then, then);
		}
		// What is there already tidies nothing up: a start has no time for it.
		run(program, "--version");
		expect(readdirSync(all)).toHaveLength(13);
		rmSync(ownFolder(), { recursive: true });
		expect(run(program, "--version").folder).toBeDefined();
		expect(readdirSync(all).sort()).toEqual(
			[
				ownFolder().slice(all.length + 1),
				...[1, 2, 3, 4, 5, 6, 7].map((age) => `v1.0.0!old-${age}`),
			].sort(),
		);
	});

	it("uses the folder that XDG_CACHE_HOME names, through a link too", () => {
		mkdirSync(join(home, "elsewhere"));
		symlinkSync("elsewhere", join(home, "link"));
		const { folder } = run(program, "--version", {
			XDG_CACHE_HOME: join(home, "link"),
		});
		expect(folder).toMatch(`${join(home, "elsewhere")}/duranteos/`);
	});

	it("leaves to NODE_COMPILE_CACHE and NODE_DISABLE_COMPILE_CACHE what they say", () => {
		const named = join(home, "named");
		expect(
			run(program, "--version", { NODE_COMPILE_CACHE: named }).folder,
		).toMatch(named);
		expect(
			run(program, "--version", { NODE_DISABLE_COMPILE_CACHE: "1" }).folder,
		).toBeUndefined();
		expect(existsSync(caches())).toBe(false);
	});
});

describe("dos start", () => {
	it("is served as well, though its process begins anew with other flags", async () => {
		const dos = openDos({
			environment: {
				XDG_CACHE_HOME: home,
				NODE_DEBUG_NATIVE: "COMPILE_CACHE",
			},
		});
		try {
			const served: number[] = [];
			for (let start = 0; start < 2; start++) {
				const server = await dos.serve();
				server.process.kill("SIGTERM");
				const { code, error } = await server.ended;
				expect(code).toBe(0);
				served.push(counted(error, fitted));
			}
			expect(served[0]).toBe(0);
			expect(served[1]).toBeGreaterThan(200);
		} finally {
			await dos.close();
		}
	});
});

describe("sync-check as a program of its own", () => {
	it("is served from what a run before it left, in the same folder as dos", () => {
		run(syncCheck, "--version");
		const { served, folder } = run(syncCheck, "--version");
		expect(served).toBeGreaterThan(10);
		expect(folder).toBe(run(program, "--version").folder);
	});
});

describe("no folder is used", () => {
	it.each([
		["that others can write to", 0o777],
		["that its group can write to", 0o770],
		["that others can enter", 0o711],
	])("%s", (_, mode) => {
		run(program, "--version");
		chmodSync(ownFolder(), mode);
		expectUnused(run(program, "--version"));
	});

	it.each([".cache", ".cache/duranteos", ".cache/duranteos/compiled-code"])(
		"below %s where others can write to that",
		(path) => {
			run(program, "--version");
			chmodSync(join(home, path), 0o777);
			expectUnused(run(program, "--version"));
			// Nor is one made there.
			rmSync(ownFolder(), { recursive: true });
			expectUnused(run(program, "--version"));
			expect(readdirSync(join(home, ".cache"), { recursive: true })).toEqual([
				"duranteos",
				"duranteos/compiled-code",
			]);
		},
	);

	it.runIf(isRoot)("of somebody else", () => {
		run(program, "--version");
		const own = ownFolder();
		chownSync(own, stranger, stranger);
		expectUnused(run(program, "--version"));
		chownSync(own, 0, 0);
		chownSync(home, stranger, stranger);
		expectUnused(run(program, "--version"));
	});

	it("by a program that runs with the rights of another", () => {
		const script = `
			process.getuid = () => ${stranger};
			const { keepCompiledCode } = await import(${JSON.stringify(keeper)});
			keepCompiledCode(new URL(${JSON.stringify(pathToFileURL(root))}));
			console.log(process.getBuiltinModule("node:module").getCompileCacheDir());`;
		const said = (text: string) =>
			spawnSync(process.execPath, ["--input-type=module", "-e", text], {
				env: environment(),
				encoding: "utf8",
			}).stdout;
		expect(said(script)).toBe("undefined\n");
		expect(said(script.replace(/process.getuid.*/, ""))).toMatch(caches());
	});

	it("where XDG_CACHE_HOME is not absolute: it would lead wherever one stands", () => {
		const { folder } = run(program, "--version", { XDG_CACHE_HOME: "caches" });
		expect(folder).toMatch(caches());
		expect(readdirSync(home)).toEqual([".cache"]);
	});

	it("in a folder that all write to, as none can be told from a trap there", () => {
		const shared = join(home, "shared");
		mkdirSync(shared);
		chmodSync(shared, 0o1777);
		expectUnused(
			run(program, "--version", { XDG_CACHE_HOME: join(shared, "caches") }),
		);
		expect(readdirSync(shared)).toEqual([]);
	});

	it.each([
		["there is no home", { HOME: "/nowhere/at/all" }],
		["the home is no folder", { HOME: "/dev/null" }],
		["the system makes no folders", { HOME: "/proc/self" }],
	])("where %s, and the program runs", (_, variables) => {
		expectUnused(run(program, "--version", variables));
		expectUnused(run(syncCheck, "--version", variables));
	});

	it("in a home that cannot be written to, and the program runs", () => {
		chmodSync(home, 0o500);
		// For root no folder is read-only: a place where none can be made stands for it.
		const { folder, status } = run(program, "--version");
		expect(status).toBe(0);
		if (!isRoot) expect(folder).toBeUndefined();
		chmodSync(home, 0o700);
	});
});

function environment(
	variables: Readonly<Record<string, string>> = {},
): Record<string, string> {
	return { PATH: process.env.PATH ?? "", HOME: home, ...variables };
}

/** Runs a program and hears from Node which folder it kept code in, and how much of it fitted. */
function run(
	file: string,
	word: string,
	variables: Readonly<Record<string, string>> = {},
) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [file, word], {
		cwd: home,
		encoding: "utf8",
		env: environment({
			NODE_DEBUG_NATIVE: "COMPILE_CACHE",
			...variables,
		}),
	});
	const said = stdout + stderr;
	return {
		status,
		folder: /\[compile cache\] resolved path .* -> (.*)/.exec(said)?.[1],
		asked: counted(said, asked),
		served: counted(said, fitted),
	};
}

function counted(said: string, words: RegExp): number {
	return said.match(words)?.length ?? 0;
}

function expectUnused({ status, folder }: ReturnType<typeof run>): void {
	expect(status).toBe(0);
	expect(folder).toBeUndefined();
}

function caches(): string {
	return join(home, ".cache");
}

function ownFolder(): string {
	const all = join(caches(), "duranteos", "compiled-code");
	const [own] = readdirSync(all).filter((name) =>
		name.startsWith(process.version),
	);
	return join(all, own as string);
}

function files(): readonly string[] {
	return readdirSync(caches(), { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map(({ parentPath, name }) => join(parentPath, name))
		.sort();
}

/** Where each file lies on the disk: one that is written anew lies elsewhere. */
function places(): readonly string[] {
	return files().map((path) => `${path} ${statSync(path).ino}`);
}
