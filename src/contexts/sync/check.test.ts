import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import { Fault } from "../../kernel/outcome.ts";
import { type FileTree, oneByOne } from "../../ports/file-tree.ts";
import { openPlayground, type Playground } from "./sync.testing.ts";

const node = nodeFileTree();
let ground: Playground;

beforeEach(() => {
	ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
	for (const side of ["a", "b"])
		for (const path of ["f", "d/g", "d/h"]) ground.put(`${side}/${path}`, path);
});
afterEach(() => ground.end());

/** The same files, read in another way. */
function reading(digest: FileTree["digest"]): FileTree {
	return { ...node, digest, ...oneByOne({ look: node.look, digest }) };
}

const denied = (path: string) => new Fault("file-tree/denied", `${path}: no`);

describe("what goes wrong is a row, and the others go on", () => {
	it("a file that may not be read, or never holds still", () => {
		for (const code of ["file-tree/denied", "file-tree/changing"]) {
			let tries = 0;
			const tree = reading((path, look) => {
				if (!path.endsWith("b/f")) return node.digest(path, look);
				tries++;
				throw new Fault(code, "no");
			});
			expect(ground.statuses({ verify: true }, tree)).toEqual({
				"b/f": "UNREADABLE",
				"b/d/g": "SYNCED",
				"b/d/h": "SYNCED",
			});
			// Once with all others, then by itself.
			expect(tries).toBe(code === "file-tree/changing" ? 4 : 2);
		}
	});

	it("a file that holds still at the third look", () => {
		let tries = 0;
		const tree = reading((path, look) => {
			if (path.endsWith("b/f") && tries++ < 2)
				throw new Fault("file-tree/changing", "still writing");
			return node.digest(path, look);
		});
		expect(ground.statuses({}, tree)["b/f"]).toBe("SYNCED");
	});

	it("a file that vanishes between the look and the reading", () => {
		const tree = reading((path, look) => {
			if (path.endsWith("b/f")) ground.remove("b/f");
			return node.digest(path, look);
		});
		expect(ground.statuses({}, tree)["b/f"]).toBe("MISSING");
	});

	it("a folder that may not be opened: nothing in it is taken for missing, then or later", () => {
		const tree: FileTree = {
			...node,
			list(folder) {
				if (folder.endsWith("b/d")) throw denied(folder);
				return node.list(folder);
			},
		};
		expect(ground.statuses({}, tree)).toEqual({
			"b/f": "SYNCED",
			"b/d": "UNREADABLE",
			"b/d/g": "UNREADABLE",
			"b/d/h": "UNREADABLE",
		});
		expect(ground.fix({ force: true }, tree).done).toEqual([]);
		expect(new Set(Object.values(ground.statuses()))).toEqual(
			new Set(["SYNCED"]),
		);
	});
});

describe("the memory", () => {
	it("spares every reading when nothing changed", () => {
		ground.check({ full: false });
		// Files of this very tick are read once more, and of two seconds where a time happens to be a whole millisecond.
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_100);
		ground.check({ full: false });
		const tree: FileTree = {
			...node,
			digest: (path) => expect.fail(`reads ${path}`),
			digestAll: () => expect.fail("reads"),
			list: (path) => expect.fail(`lists ${path}`),
			write: (path) => expect.fail(`writes ${path}`),
		};
		expect(ground.check({ full: false }, tree).counts.SYNCED).toBe(3);
	});

	it("is not believed by --verify", () => {
		ground.check();
		let read = 0;
		const tree = reading((path, look) => {
			read++;
			return node.digest(path, look);
		});
		ground.check({ verify: true }, tree);
		expect(read).toBe(6);
	});

	it("of a part leaves the rest as it was", () => {
		ground.check();
		ground.put("a/f", "moved");
		ground.put("a/d/g", "moved");
		const part = ground.check({ only: [`${ground.folder}/b/d`] });
		expect(part.rows.map(({ status }) => status)).toEqual(["STALE", "SYNCED"]);
		expect(ground.statuses()).toEqual({
			"b/f": "STALE",
			"b/d/g": "STALE",
			"b/d/h": "SYNCED",
		});
	});

	it("of one manifest is no memory of another", () => {
		ground.check();
		ground.write({ pairs: [{ a: "a/d/g", b: "c" }] });
		ground.put("c", "d/g");
		ground.check();
		ground.put("c", "edited");
		expect(ground.statuses()).toEqual({ c: "EDITED" });
	});
});

describe("an artifact that another role is right about", () => {
	const manifest = (overrides: unknown) => ({
		version: 2,
		roles: { live: "live", release: "release", pack: "pack" },
		canonical: "live",
		unknown_drift: "overwrite",
		sets: [
			{
				name: "skills",
				paths: { live: "skills/*", release: "skills/*", pack: "*/src" },
				renames: { pack: { "long.py": "short.py" } },
				overrides,
			},
		],
	});
	const fill = () => {
		for (const skill of ["Notes", "Sentinel"])
			for (const [side, path] of [
				["live", `live/skills/${skill}`],
				["release", `release/skills/${skill}`],
				["pack", `pack/${skill}/src`],
			] as const) {
				ground.put(`${path}/f`, side);
				ground.put(`${path}/hooks/h`, side);
				ground.put(
					`${path}/${side === "pack" ? "short" : "long"}.py`,
					`${side} py`,
				);
			}
	};
	const held = () =>
		Object.fromEntries(
			["live/skills/", "release/skills/", "pack/"].flatMap((root) =>
				["Notes", "Sentinel"].flatMap((skill) => {
					const at = root === "pack/" ? `pack/${skill}/src` : root + skill;
					return Object.entries(ground.snapshot(at))
						.filter(([path]) => !path.endsWith("/"))
						.map(([path, content]) => [path, content.slice(4)]);
				}),
			),
		);

	it("goes from that role to all others, renames as well, and every row is told once", () => {
		ground.write(
			manifest([
				{ path: "Sentinel/hooks", canonical: "release" },
				{ path: "Sentinel", canonical: "pack" },
			]),
		);
		fill();
		const rows = ground.check().rows;
		expect(rows).toHaveLength(12);
		expect(new Set(rows.map(({ copy }) => copy.path)).size).toBe(12);
		expect(ground.fix().failed).toEqual([]);
		for (const [path, content] of Object.entries(held())) {
			const right = path.includes("Notes")
				? "live"
				: path.includes("hooks")
					? "release"
					: "pack";
			expect(content.split(" ")[0], path).toBe(right);
		}
		expect(new Set(Object.values(ground.statuses({ full: true })))).toEqual(
			new Set(["SYNCED"]),
		);
		expect(ground.check({ full: false }).counts.SYNCED).toBe(12);
		ground.put("pack/Sentinel/src/f", "moved on");
		expect(ground.statuses()).toMatchObject({
			"live/skills/Sentinel/f": "STALE",
			"release/skills/Sentinel/f": "STALE",
		});
	});

	it("fits files of a set of one folder too", () => {
		ground.write({
			version: 2,
			roles: { live: "live", release: "release" },
			canonical: "live",
			sets: [
				{
					name: "s",
					path: "docs",
					overrides: [{ path: "*.gen", canonical: "release" }],
				},
			],
		});
		for (const side of ["live", "release"])
			for (const name of ["a", "b.gen"])
				ground.put(`${side}/docs/${name}`, "1");
		ground.check();
		ground.put("release/docs/b.gen", "2");
		ground.put("release/docs/a", "2");
		ground.put("release/docs/c.gen", "new");
		expect(ground.statuses()).toEqual({
			"live/docs/b.gen": "STALE",
			"live/docs/c.gen": "MISSING",
			"release/docs/a": "EDITED",
		});
	});
});

describe("what is said twice", () => {
	beforeEach(() => {
		ground.end();
		ground = openPlayground();
	});
	const sha256 = (text: string) =>
		createHash("sha256").update(text).digest("hex");
	const paths = () =>
		ground
			.check()
			.rows.map(({ copy }) => copy.path.slice(ground.folder.length));

	it("counts once: a pair within another pair, a pair by two spellings, two sets", () => {
		ground.write({
			pairs: [
				{ a: "a", b: "b" },
				{ a: "./a/", b: "b" },
				{ a: "a/d/f", b: "b/d/f" },
				{ a: "a/e", b: "b/e" },
			],
		});
		for (const name of ["d/f", "d/g", "e/h", "i"]) {
			ground.put(`a/${name}`, "1");
			ground.put(`b/${name}`, "2");
		}
		const each = ["/b/d/f", "/b/d/g", "/b/e/h", "/b/i"];
		expect(paths()).toEqual(each);
		ground.write({
			version: 2,
			roles: { a: "a", b: "b" },
			canonical: "a",
			sets: [
				{ name: "one", path: "." },
				{ name: "two", path: "." },
				{ name: "three", path: "d" },
				{ name: "four", path: "*" },
			],
		});
		expect(paths()).toEqual(each);
	});

	it("is two things when each speaks for a part", () => {
		ground.write({
			version: 2,
			roles: { a: "a", b: "b" },
			canonical: "a",
			sets: [
				{ name: "text", path: "d", include: ["*.md"] },
				{ name: "code", path: "d", include: ["*.ts"] },
			],
		});
		for (const name of ["d/f.md", "d/g.ts"]) ground.put(`a/${name}`, "1");
		expect(paths()).toEqual(["/b/d/f.md", "/b/d/g.ts"]);
	});

	it("a declared difference within a folder is the file's own", () => {
		const hashes = {
			canonical: sha256("1"),
			copy: sha256("2"),
		};
		ground.write({
			version: 2,
			roles: { a: "a", b: "b" },
			canonical: "a",
			sets: [
				{ name: "all", path: "d" },
				{
					name: "own",
					path: "d/f",
					diverge: [{ role: "b", reason: "r", owner: "o", hashes }],
				},
			],
		});
		ground.put("a/d/f", "1");
		ground.put("b/d/f", "2");
		expect(ground.statuses()).toEqual({ "b/d/f": "DECLARED" });
	});
});
