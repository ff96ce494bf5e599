import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import type { Look } from "../../ports/file-tree.ts";
import {
	emptyScan,
	isYoung,
	lookAt,
	push,
	readCache,
	type Scan,
	writeCache,
} from "./scan.ts";

const { encode, decode } = nodeFileTree();
const second = 1_000_000_000n;
const look = (modified: bigint, changed = modified): Look => ({
	mode: 0o100644,
	size: 1n,
	modified,
	changed,
	inode: 7n,
	device: 1n,
});
const now = look(1_000n * second + 5n);

function scanOf(names: readonly string[], looks: readonly Look[]): Scan {
	const scan = emptyScan("key");
	scan.folders.push("");
	scan.starts.push(0);
	scan.ends.push(1);
	push(scan.folderNumbers, look(1n));
	for (const [at, name] of names.entries()) {
		scan.names.push(name);
		push(scan.numbers, looks[at] ?? look(1n));
		scan.hashes.push("a".repeat(64));
	}
	return scan;
}

const written = (scan: Scan) =>
	writeCache({ stateLook: "s", scans: new Map([["key", scan]]) }, now, encode);

describe("the cache", () => {
	it("reads what it wrote, whatever the names are", () => {
		fc.assert(
			fc.property(
				fc.array(fc.string({ unit: "binary", minLength: 1 })),
				(names) => {
					const read = readCache(written(scanOf(names, [])), decode);
					const scan = read?.scans.get("key");
					expect(read?.stateLook).toBe("s");
					expect(scan?.names).toEqual(names);
					expect(scan?.hashes).toEqual(names.map(() => "a".repeat(64)));
					if (names.length > 0)
						expect(lookAt((scan as Scan).numbers, names.length - 1)).toEqual(
							look(1n),
						);
				},
			),
		);
	});

	it("is none when any byte of it is another, or the end is missing", () => {
		const bytes = written(scanOf(["one", "two"], []));
		expect(readCache(bytes, decode)).toBeDefined();
		for (let at = 0; at < bytes.length; at++) {
			const other = bytes.slice();
			other[at] = (other[at] as number) ^ 1;
			expect(readCache(other, decode), `byte ${at}`).toBeUndefined();
			expect(readCache(bytes.slice(0, at), decode)).toBeUndefined();
		}
	});

	it("keeps no hash of what may change again within its own tick", () => {
		const scan = scanOf(
			["old", "same tick", "later", "changed late"],
			[
				look(now.modified - 1n),
				look(now.modified),
				look(now.modified + 1n),
				look(1n, now.modified),
			],
		);
		expect(
			readCache(written(scan), decode)
				?.scans.get("key")
				?.hashes.map((hash) => hash !== ""),
		).toEqual([true, false, false, false]);
	});

	it("gives coarse clocks and other devices two seconds", () => {
		expect(isYoung(look(999n * second), now)).toBe(true);
		expect(isYoung(look(998n * second), now)).toBe(false);
		expect(isYoung({ ...look(now.modified - second), device: 2n }, now)).toBe(
			true,
		);
	});
});
