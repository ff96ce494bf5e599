import { spawnSync } from "node:child_process";
import {
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	utimesSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import type { FileTree } from "../../ports/file-tree.ts";
import { cut, dyingTree, type When } from "./crash.testing.ts";
import { openPlayground, type Playground } from "./sync.testing.ts";

let ground: Playground;
afterEach(() => ground.end());

/** A copy that needs everything a fix can do. */
function openDrifted(): void {
	ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
	for (const [path, text] of [
		["stale", "old stale"],
		["same", "same"],
		["mode", "mode"],
		["edited", "old edited"],
	] as const) {
		ground.put(`a/${path}`, text, 0o644);
		ground.put(`b/${path}`, text, 0o644);
	}
	ground.check();
	ground.put("a/stale", "new stale", 0o644);
	ground.put("a/mode", "mode", 0o755);
	ground.put("a/deep/er/missing", "missing", 0o600);
	ground.putLink("a/link", "same");
	ground.put("b/edited", "my work", 0o644);
	ground.put("b/extra", "my own", 0o644);
}

/** Every byte anywhere in the playground, the memory as well. */
function allBytes(): string {
	return readdirSync(ground.folder, { recursive: true, encoding: "utf8" })
		.map((path) => join(ground.folder, path))
		.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
		.map((path) => readFileSync(path, "utf8"))
		.join("\n");
}

function dies(work: () => unknown): boolean {
	try {
		work();
		return false;
	} catch (thrown) {
		if (thrown !== cut) throw thrown;
		return true;
	}
}

describe("a fix that is cut off", () => {
	beforeEach(openDrifted);

	it.each<[boolean, When]>([
		[false, "before"],
		[false, "half"],
		[false, "after"],
		[true, "before"],
		[true, "half"],
		[true, "after"],
	])(
		"at any change (force %s, %s it) loses nothing, is carried on, and can be undone",
		(force, when) => {
			for (let at = 1; ; at++) {
				ground.end();
				openDrifted();
				const before = { a: ground.snapshot("a"), b: ground.snapshot("b") };
				const verdicts = ground.statuses();
				const { tree } = dyingTree(nodeFileTree(), at, when);
				const died = dies(() => ground.fix({ force }, tree));

				// Each file is whole, the old or the new, and what was overwritten is kept.
				expect(ground.snapshot("a")).toEqual(before.a);
				const bytes = allBytes();
				for (const text of ["old stale", "my work", "my own"])
					expect(bytes).toContain(text);
				for (const [path, content] of Object.entries(ground.snapshot("b"))) {
					if (path.endsWith("/") || path.endsWith(".tmp")) continue;
					const source = before.a[path.replace(/^b/, "a")];
					expect(
						[before.b[path], source, source?.replace(/^755/, "644")],
						`${path} at change ${at}`,
					).toContain(content);
				}

				// Half the time somebody undoes, half the time somebody fixes again.
				if (at % 2 === 0) {
					ground.undo();
					expect(ground.snapshot("b")).toEqual(before.b);
					expect(ground.statuses()).toEqual(verdicts);
				}
				ground.fix({ force });
				const wrong = Object.entries(ground.statuses())
					.filter(([, status]) => status !== "SYNCED")
					.map(([path]) => path);
				expect(wrong).toEqual(force ? [] : ["b/edited", "b/extra"]);
				expect(
					Object.keys(ground.snapshot("b")).filter((path) =>
						path.includes(".tmp"),
					),
				).toEqual([]);
				if (!died) {
					expect(at).toBeGreaterThan(20);
					break;
				}
				// One undo takes back the whole fix, what was done before the cut as well.
				if (at % 2 === 1) {
					ground.undo();
					expect(ground.snapshot("b")).toEqual(before.b);
				}
			}
		},
		60_000,
	);

	it("an undo that is cut off at any change is finished by the next", () => {
		for (let at = 1; ; at++) {
			ground.end();
			openDrifted();
			const before = ground.snapshot("b");
			ground.fix({ force: true });
			const { tree } = dyingTree(nodeFileTree(), at, "after");
			const died = dies(() => ground.undo(tree));
			ground.undo();
			if (died) expect(ground.snapshot("b"), `change ${at}`).toEqual(before);
			else break;
		}
	}, 60_000);

	it("survives kill -9 in a process of its own", () => {
		for (const at of [3, 9, 14, 21]) {
			ground.end();
			openDrifted();
			const before = ground.snapshot("b");
			const killed = spawnSync(
				process.execPath,
				[
					join(import.meta.dirname, "fixtures/killed.ts"),
					ground.folder,
					String(at),
				],
				{ encoding: "utf8" },
			);
			expect(killed.signal, killed.stderr).toBe("SIGKILL");
			expect(allBytes()).toContain("old stale");
			ground.fix({ force: true });
			expect(new Set(Object.values(ground.statuses()))).toEqual(
				new Set(["SYNCED"]),
			);
			ground.undo();
			expect(ground.snapshot("b")).toEqual(before);
		}
	}, 60_000);
});

describe("a fix leaves alone", () => {
	it("what changed between the look and the write", () => {
		openDrifted();
		const node = nodeFileTree();
		const meddling: FileTree = {
			...node,
			keep(from, to) {
				node.keep(from, to);
				if (from.endsWith("b/stale")) ground.put("b/stale", "typed just now");
			},
		};
		const { failed } = ground.fix({}, meddling);
		expect(failed.map(({ operation }) => operation.path)).toEqual([
			`${ground.folder}/b/stale`,
		]);
		expect(ground.read("b/stale")).toBe("typed just now");
	});

	it("what took the place of the copy at the last moment, alike in size and time", () => {
		openDrifted();
		const node = nodeFileTree();
		const meddling: FileTree = {
			...node,
			copy(from, to, permissions) {
				const hash = node.copy(from, to, permissions);
				if (!to.includes("/b/.dos-sync-")) return hash;
				const path = join(ground.folder, "b/stale");
				const { atime, mtime, size } = statSync(path);
				ground.put("b/other", "x".repeat(size));
				utimesSync(path, atime, mtime);
				utimesSync(join(ground.folder, "b/other"), atime, mtime);
				renameSync(join(ground.folder, "b/other"), path);
				return hash;
			},
		};
		ground.remove("a/deep");
		utimesSync(join(ground.folder, "b/stale"), 1_000, 1_000);
		const { failed } = ground.fix({}, meddling);
		expect(failed.map(({ reason }) => reason)).toEqual([
			expect.stringContaining("changed meanwhile"),
		]);
		expect(ground.read("b/stale")).toBe("x".repeat("old stale".length));
	});

	it("what a link leads out of the root", () => {
		ground = openPlayground({ pairs: [{ a: "a", b: "inside/b/file" }] });
		ground.put("a", "evil");
		ground.put("elsewhere/b/file", "precious");
		ground.putLink("inside", "/tmp");
		ground.remove("inside");
		const outside = openPlayground();
		try {
			outside.put("b/file", "precious");
			ground.putLink("inside", outside.folder);
			// It is not even read.
			const { status, note } = ground.check().rows[0] ?? {};
			expect(status).toBe("UNREADABLE");
			expect(note).toContain("allow_outside");
			expect(ground.fix({ force: true }).done).toEqual([]);
			expect(outside.read("b/file")).toBe("precious");
			ground.write({
				pairs: [{ a: "a", b: "inside/b/file" }],
				allow_outside: [outside.folder],
			});
			expect(ground.fix({ force: true }).failed).toEqual([]);
			expect(outside.read("b/file")).toBe("evil");
		} finally {
			outside.end();
		}
	});

	it("a folder that is a link out of the manifest's folder, unless it leads to the other side", () => {
		const outside = openPlayground();
		try {
			outside.put("skills/f", "precious");
			ground = openPlayground({
				pairs: [
					{ a: "a", b: "b" },
					{ a: `${outside.folder}/skills`, b: "linked" },
				],
			});
			ground.put("a/f", "new");
			ground.putLink("b", `${outside.folder}/skills`);
			ground.putLink("linked", `${outside.folder}/skills`);
			expect(ground.statuses()).toEqual({
				b: "UNREADABLE",
				"linked/f": "LINKED",
			});
			expect(ground.fix({ force: true }).done).toEqual([]);
			ground.write({
				pairs: [{ a: "a", b: "b" }],
				allow_outside: [`${outside.folder}/skills`],
			});
			expect(ground.statuses()).toEqual({ "b/f": "DRIFT" });
		} finally {
			outside.end();
		}
	});

	it("what lies behind a link inside a copy", () => {
		ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
		ground.put("a/d/file", "new");
		ground.put("other/file", "precious");
		const node = nodeFileTree();
		let isThere = false;
		const { failed } = ground.fix(undefined, {
			...node,
			append(path, bytes) {
				// After the plan was made, and before it is carried out.
				if (!isThere) ground.putLink("b/d", "../other");
				isThere = true;
				node.append(path, bytes);
			},
		});
		expect(failed[0]?.reason).toContain("not a folder");
		expect(ground.read("other/file")).toBe("precious");
		// One that was there before is in no plan.
		const fixed = ground.fix();
		expect([...fixed.done, ...fixed.failed]).toEqual([]);
		expect(ground.read("other/file")).toBe("precious");
	});

	it("two sources of one copy that differ", () => {
		ground = openPlayground({
			pairs: [
				{ a: "x", b: "z" },
				{ a: "y", b: "z" },
			],
		});
		ground.put("x", "1");
		ground.put("y", "2");
		ground.put("z", "3");
		expect(ground.fix({ force: true }).done).toEqual([]);
		expect(ground.read("z")).toBe("3");
	});

	it.each([
		["case", (name: string) => name.toLowerCase(), ["README", "readme"], "é"],
		[
			"how an accent is encoded",
			(name: string) => name.normalize("NFC"),
			["\u00e9", "e\u0301"],
			"README",
		],
	] as const)(
		"names that are one on a disk that ignores %s",
		(_, fold, names, other) => {
			ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
			for (const name of ["keep", ...names, `${names[1]}-folder/x`])
				ground.put(`a/${name}`, name);
			ground.put(`a/${names[0]}-folder/y`, "y");
			// One under what the other kind of disk ignores.
			const alike =
				other === "é" ? ["\u00e9", "e\u0301"] : ["README", "readme"];
			for (const name of alike) ground.put(`a/other-${name}`, name);
			ground.put("b/keep", "keep");
			const node = nodeFileTree();
			const folding: FileTree = {
				...node,
				look(path) {
					const direct = node.look(path);
					const folder = path.slice(0, path.lastIndexOf("/"));
					if (direct || !node.look(folder)) return direct;
					const found = node
						.list(folder)
						.find(({ name }) => fold(`${folder}/${name}`) === fold(path));
					return found && node.look(`${folder}/${found.name}`);
				},
			};
			const { failed, done } = ground.fix({}, folding);
			expect(failed.map(({ reason }) => reason)).toEqual([
				expect.stringContaining("one name"),
				expect.stringContaining("one name"),
			]);
			expect(done.map(({ path }) => path)).toContain(
				`${ground.folder}/b/${[...names].sort()[0]}`,
			);
			for (const name of alike)
				expect(ground.read(`b/other-${name}`)).toBe(name);
			expect(ground.fix().failed).toEqual([]);
			expect(new Set(Object.values(ground.statuses()))).toEqual(
				new Set(["SYNCED"]),
			);
		},
	);

	it("everything, while another fix is under way; a dead one's lock is taken over", () => {
		ground = openPlayground(
			{ pairs: [{ a: "a", b: "b" }] },
			(process) => process === 7,
		);
		ground.put("a", "1");
		ground.put(".dos-sync/lock", "7\n");
		expect(() => ground.fix()).toThrow("process 7");
		expect(() => ground.undo()).toThrow("process 7");
		for (const dead of ["8\n", "7"]) {
			ground.put(".dos-sync/lock", dead);
			expect(() => ground.undo()).not.toThrow();
		}
		expect(ground.fix().done).toHaveLength(1);
	});
});

describe("what fixes keep", () => {
	it("goes when it is neither of the last ten nor of the last thirty days", () => {
		ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
		ground.put("b", "0");
		const ids: string[] = [];
		for (let count = 1; count <= 14; count++) {
			ground.put("a", String(count));
			ids.push(ground.fix().id as string);
			const age = count <= 3 ? 31 : 29;
			const then = Date.now() / 1_000 - age * 86_400;
			utimesSync(
				join(ground.folder, `.dos-sync/journal/${ids.at(-1)}`),
				then,
				then,
			);
		}
		const left = (folder: string) =>
			readdirSync(join(ground.folder, ".dos-sync", folder)).sort();
		expect(left("journal")).toEqual(ids.slice(3));
		expect(left("kept")).toEqual(ids.slice(3));
		for (let count = 13; count >= 3; count--) {
			ground.undo();
			expect(ground.read("b")).toBe(String(count));
		}
		expect(ground.undo().id).toBeUndefined();
	});
});

describe("a side within the other", () => {
	it.each([
		["a", "a/copy"],
		["a/copy", "a"],
	])("%s and %s: is no part of it, and a fix ends", (source, copy) => {
		ground = openPlayground({ pairs: [{ a: source, b: copy }] });
		ground.put(`${source}/f`, "1");
		ground.put(`${source}/d/f`, "2");
		expect(ground.fix().done).toHaveLength(2);
		expect(ground.statuses()).toEqual({
			[`${copy}/f`]: "SYNCED",
			[`${copy}/d/f`]: "SYNCED",
		});
		expect(ground.fix().done).toEqual([]);
	});
});

describe("undo", () => {
	it("leaves what was edited since the fix, and lays what it was before beside it", () => {
		ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
		for (const name of ["edited", "other"]) {
			ground.put(`a/${name}`, "right");
			ground.put(`b/${name}`, `${name} before`);
		}
		ground.put("a/made", "right");
		ground.fix();
		ground.put("b/edited", "edited after the fix");
		ground.put("b/made", "edited after it was made");
		const { edited, failed, restored } = ground.undo();
		expect(failed).toEqual([]);
		expect(restored.map(({ path }) => path)).toEqual([
			`${ground.folder}/b/other`,
		]);
		expect(
			Object.fromEntries(
				edited.map(({ operation, before }) => [operation.path, before]),
			),
		).toEqual({
			[`${ground.folder}/b/edited`]: `${ground.folder}/b/edited.dos-before`,
			[`${ground.folder}/b/made`]: undefined,
		});
		expect(ground.read("b/edited")).toBe("edited after the fix");
		expect(ground.read("b/edited.dos-before")).toBe("edited before");
		expect(ground.read("b/other")).toBe("other before");
		expect(ground.read("b/made")).toBe("edited after it was made");
		// What lies beside is no row, and the fix is undone.
		expect(Object.keys(ground.statuses())).not.toContain("b/edited.dos-before");
		expect(ground.undo().id).toBeUndefined();
	});

	it("an edit does not stand in the way of the fix before", () => {
		ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
		ground.put("b", "0");
		ground.put("a", "1");
		ground.fix();
		ground.put("a", "2");
		ground.fix();
		ground.put("b", "mine");
		expect(ground.undo().edited).toHaveLength(1);
		expect(ground.read("b.dos-before")).toBe("1");
		expect(ground.undo().edited).toHaveLength(1);
		expect(ground.read("b.dos-before-1")).toBe("0");
		expect(ground.read("b")).toBe("mine");
		expect(ground.undo().id).toBeUndefined();
	});

	it("brings back what was taken away since the fix, and goes around a folder in its place", () => {
		ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
		for (const name of ["gone", "folder"]) {
			ground.put(`a/${name}`, "right");
			ground.put(`b/${name}`, "before");
		}
		ground.fix();
		rmSync(join(ground.folder, "b/gone"));
		rmSync(join(ground.folder, "b/folder"));
		ground.put("b/folder/in-it", "mine");
		expect(ground.undo().failed).toEqual([]);
		expect(ground.read("b/gone")).toBe("before");
		expect(ground.read("b/folder.dos-before")).toBe("before");
		expect(ground.read("b/folder/in-it")).toBe("mine");
	});

	it("takes back one fix after the other, then has nothing left", () => {
		ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
		ground.put("b", "0");
		for (const text of ["1", "2"]) {
			ground.put("a", text);
			ground.fix();
		}
		expect(ground.read("b")).toBe("2");
		ground.undo();
		expect(ground.read("b")).toBe("1");
		ground.undo();
		expect(ground.read("b")).toBe("0");
		expect(ground.undo().id).toBeUndefined();
	});
});
