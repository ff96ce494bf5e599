import { describe, expect, it } from "vitest";
import { readManifest } from "./read-manifest.ts";

const place = { path: "/repo/.dos-sync-manifest.json", home: "/home/me" };
const read = (value: unknown) =>
	readManifest(
		typeof value === "string" ? value : JSON.stringify(value),
		place,
	);

function links(value: unknown) {
	const outcome = read(value);
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value.links.map(({ source, copy }) => [
		`${source.role} ${source.path}`,
		`${copy.role} ${copy.path}`,
	]);
}

function mistakes(value: unknown): readonly string[] {
	const outcome = read(value);
	return outcome.ok
		? []
		: outcome.error.mistakes.map(
				({ line, column, message }) => `${line}:${column} ${message}`,
			);
}

describe("version 1, what is probably not meant", () => {
	it("a pair in both directions is a mistake, at the second", () => {
		expect(
			mistakes({
				pairs: [
					{ a: "x", b: "y" },
					{ a: "y/", b: "./x" },
				],
			}),
		).toEqual([expect.stringContaining("1:29 These two are a pair already")]);
	});

	it("a star in a pair is a name, and a warning", () => {
		const outcome = read({ pairs: [{ a: "a/*", b: "b" }] });
		expect(outcome.ok && outcome.value.warnings).toEqual([
			expect.stringContaining("a/* is taken as a name"),
		]);
	});
});

describe("version 1", () => {
	it("reads the published schema, whole", () => {
		expect(
			links({
				pairs: [{ a: "~/skills/x.md", b: "Releases/x.md" }],
				aliases: { "/live/mempalace_bridge.py": "Packs/bridge.py" },
				live_only: ["~/skills/own"],
				submodule_only: [],
				fix_direction: "live_to_submodule",
			}),
		).toEqual([
			["live /home/me/skills/x.md", "submodule /repo/Releases/x.md"],
			["live /live/mempalace_bridge.py", "submodule /repo/Packs/bridge.py"],
		]);
	});

	it("goes the other way when it says so", () => {
		expect(
			links({
				pairs: [{ a: "a", b: "b" }],
				fix_direction: "submodule_to_live",
			}),
		).toEqual([["submodule /repo/b", "live /repo/a"]]);
	});

	it("accepts what the older build wrote", () => {
		expect(
			links({
				pairs: [],
				pack_pairs: [{ a: "p", b: "q", kind: "pack_dir", exclude: ["*.log"] }],
				aliases: [{ a: "x", b: "y" }],
				native_workflows: [],
			}),
		).toHaveLength(2);
	});

	it("leaves a name that an alias speaks for to the alias", () => {
		const outcome = read({
			pairs: [{ a: "live", b: "pack" }],
			aliases: { "live/long_bridge.py": "pack/bridge.py" },
		});
		const [folders] = outcome.ok ? outcome.value.links : [];
		expect([...(folders?.claimed.source ?? [])]).toEqual(["long_bridge.py"]);
		expect([...(folders?.claimed.copy ?? [])]).toEqual(["bridge.py"]);
	});

	it("knows what may stand on one side alone: files, folders and globs", () => {
		const outcome = read({
			pairs: [{ a: "a", b: "b" }],
			live_only: ["a/own", "a/*.local"],
		});
		const link = outcome.ok ? outcome.value.links[0] : undefined;
		expect(link?.sourceOnly("/repo/a/own/deep/file")).toBe(true);
		expect(link?.sourceOnly("/repo/a/x.local")).toBe(true);
		expect(link?.sourceOnly("/repo/a/ownership")).toBe(false);
		expect(link?.copyOnly("/repo/a/own")).toBe(false);
	});

	it.each([
		['{"pairs": [{"a": "x"}]}', "1:12", '"b"'],
		['{"pairs": [],\n "fix_direction": "both"}', "2:19", "live_to_submodule"],
		['{"pair": []}', "1:2", 'did you mean "pairs"'],
		['{"pairs": [{"a": "x", "b": "x"}]}', "1:12", "same path"],
		['{"pairs": [{"a": "../x", "b": "y"}]}', "1:18", "allow_outside"],
		['{"pairs": {"a": "x"}}', "1:11", "list"],
		['{"pairs": [{"a": 7, "b": "y"}]}', "1:18", '"a"'],
		['{"pairs": [{"a": "", "b": "y"}]}', "1:18", "empty"],
		['{"pairs": [{"a": "~bob/x", "b": "y"}]}', "1:18", "whole path"],
		['{"pairs": [], "exclude": ["[a"]}', "1:27", "glob"],
		['{"pairs": [], "version": 3}', "1:26", "1 or 2"],
		["[]", "1:1", "object"],
		["", "1:1", "end of the file"],
		['{"pairs": [],}', "1:13", "Take away"],
		['{"pairs": [], "pairs": []}', "1:15", "twice"],
		["{'pairs': []}", "1:2", "double quotes"],
		['{"pairs": [] // none\n}', "1:14", "no comments"],
		['{"pairs": [{"a": "x\n"}]}', "1:20", "control character"],
		['{"aliases": {}}', "1:1", '"pairs" is missing'],
		['{"pairs": [], "aliases": {"a": 1}}', "1:32", "alias maps"],
	])("%s: %s says %s", (text, where, what) => {
		const found = mistakes(text).find((one) => one.includes(what));
		expect(found).toMatch(new RegExp(`^${where} `));
	});

	it("lets a path out of the manifest's folder when that is named", () => {
		expect(
			links({ pairs: [{ a: "../x", b: "y" }], allow_outside: ["../x"] }),
		).toEqual([["live /x", "submodule /repo/y"]]);
	});

	it("finds all mistakes, in order", () => {
		expect(
			mistakes('{"pairs": [{"a": 1, "b": 2},\n{"a": 3, "b": 4}]}').map((one) =>
				one.slice(0, 4),
			),
		).toEqual(["1:18", "1:26", "2:7 ", "2:15"]);
	});

	it("survives a manifest made to harm", () => {
		expect(mistakes("[".repeat(100_000))[0]).toContain("nested");
		expect(
			mistakes(`{"pairs": [${'{"a":1,"b":2},'.repeat(1_000)}1]}`).length,
		).toBe(50);
		const polluted = read('{"pairs": [], "__proto__": {"version": 2}}');
		expect(polluted.ok && polluted.value.version).toBe(1);
	});
});

describe("version 2", () => {
	const base = {
		version: 2,
		roles: { live: "~/live", release: "Releases", pack: "/packs" },
		canonical: "live",
	};

	it("makes a link from the canonical role to each other", () => {
		expect(
			links({
				...base,
				sets: [
					{ name: "all", path: "x" },
					{
						name: "own",
						canonical: "pack",
						paths: { live: "skills/Own", pack: "Own/src" },
					},
				],
			}),
		).toEqual([
			["live /home/me/live/x", "release /repo/Releases/x"],
			["live /home/me/live/x", "pack /packs/x"],
			["pack /packs/Own/src", "live /home/me/live/skills/Own"],
		]);
	});

	it("makes a link of its own for a rename", () => {
		expect(
			links({
				...base,
				sets: [
					{
						name: "s",
						path: "x",
						roles: ["live", "pack"],
						renames: { pack: { "long.py": "short.py" } },
					},
				],
			})[1],
		).toEqual(["live /home/me/live/x/long.py", "pack /packs/x/short.py"]);
	});

	const hashes = { canonical: "a".repeat(64), copy: "b".repeat(64) };
	it.each<readonly [object, string]>([
		[{ sets: [{ name: "s", path: "../x" }] }, "leaves the root"],
		[{ sets: [{ name: "s", path: "/etc/passwd" }] }, "leaves the root"],
		[{ sets: [{ name: "s", paths: { live: "x", nobody: "y" } }] }, "no role"],
		[{ sets: [{ name: "s", paths: { live: "x" } }] }, "at least two"],
		[{ sets: [{ name: "s", path: "x", paths: {} }] }, "either"],
		[{ sets: [{ path: "x" }] }, "has a name"],
		[
			{
				sets: [
					{ name: "s", path: "x" },
					{ name: "s", path: "y" },
				],
			},
			"Another set",
		],
		[
			{ sets: [{ name: "s", paths: { live: "a/*", release: "b" } }] },
			'same number of "*"',
		],
		[
			{
				sets: [{ name: "s", path: "x", renames: { pack: { "../a": "b" } } }],
			},
			"no way out",
		],
		[
			{
				sets: [
					{
						name: "s",
						path: "x",
						diverge: [{ role: "pack", reason: "r", owner: "o" }],
					},
				],
			},
			"sha256",
		],
		[
			{
				sets: [
					{
						name: "s",
						path: "x",
						diverge: [
							{
								role: "pack",
								reason: "r",
								owner: "o",
								expires: "2026-02-30",
								hashes,
							},
						],
					},
				],
			},
			"last day",
		],
		...(
			[
				[{ path: "Notes" }, "1:167 An override says which role is right"],
				[{ canonical: "pack" }, '1:167 An override has a "path"'],
				[{ path: "[", canonical: "pack" }, '1:175 An override has a "path"'],
				[{ path: "Notes", canonical: "x" }, "1:195 This names a role"],
				[{ path: "Notes", canonical: "release" }, "has no path in this set"],
				[{ path: "Notes", canonicl: "pack" }, 'did you mean "canonical"'],
				["Notes", "1:167 An override is an object"],
			] as const
		).map(([override, what]): readonly [object, string] => [
			{
				sets: [
					{
						name: "s",
						paths: { live: "x/*", pack: "*/src" },
						overrides: [override],
					},
				],
			},
			what,
		]),
		[{ canonical: "nobody", sets: [] }, "names a role"],
		[{ roles: { live: "x" }, sets: [] }, "at least two places"],
		[{}, '"sets" is missing'],
	])("%j is refused: %s", (more, what) => {
		expect(mistakes({ ...base, ...more }).join("\n")).toContain(what);
	});
});
