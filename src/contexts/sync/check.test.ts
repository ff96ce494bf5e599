import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { FileTree } from "../../ports/file-tree.ts";
import { openPlayground, type Playground } from "./sync.testing.ts";

const node = nodeFileTree();
let ground: Playground;

beforeEach(() => {
	ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
	for (const side of ["a", "b"])
		for (const path of ["f", "d/g", "d/h"]) ground.put(`${side}/${path}`, path);
});
afterEach(() => ground.end());

const denied = (path: string) => new Fault("file-tree/denied", `${path}: no`);

describe("what goes wrong is a row, and the others go on", () => {
	it("a file that may not be read, or never holds still", () => {
		for (const code of ["file-tree/denied", "file-tree/changing"]) {
			let tries = 0;
			const tree: FileTree = {
				...node,
				digest(path, look) {
					if (!path.endsWith("b/f")) return node.digest(path, look);
					tries++;
					throw new Fault(code, "no");
				},
			};
			expect(ground.statuses({ verify: true }, tree)).toEqual({
				"b/f": "UNREADABLE",
				"b/d/g": "SYNCED",
				"b/d/h": "SYNCED",
			});
			expect(tries).toBe(code === "file-tree/changing" ? 3 : 1);
		}
	});

	it("a file that holds still at the second look", () => {
		let tries = 0;
		const tree: FileTree = {
			...node,
			digest(path, look) {
				if (path.endsWith("b/f") && tries++ === 0)
					throw new Fault("file-tree/changing", "still writing");
				return node.digest(path, look);
			},
		};
		expect(ground.statuses({}, tree)["b/f"]).toBe("SYNCED");
	});

	it("a file that vanishes between the look and the reading", () => {
		const tree: FileTree = {
			...node,
			digest(path, look) {
				if (path.endsWith("b/f")) ground.remove("b/f");
				return node.digest(path, look);
			},
		};
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
		// Files of this very tick are read once more; these are old by then.
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
		ground.check({ full: false });
		const tree: FileTree = {
			...node,
			digest: (path) => expect.fail(`reads ${path}`),
			list: (path) => expect.fail(`lists ${path}`),
			write: (path) => expect.fail(`writes ${path}`),
		};
		expect(ground.check({ full: false }, tree).counts.SYNCED).toBe(3);
	});

	it("is not believed by --verify", () => {
		ground.check();
		let read = 0;
		const tree: FileTree = {
			...node,
			digest(path, look) {
				read++;
				return node.digest(path, look);
			},
		};
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
