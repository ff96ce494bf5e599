import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import type { Look } from "../../ports/file-tree.ts";
import {
	emptyScan,
	enter,
	hashAt,
	isYoung,
	lookOf,
	put,
	readCache,
	type Scan,
	setHash,
	writeCache,
} from "./scan.ts";

const tree = nodeFileTree();
const second = 1_000;
const hash = new Uint8Array(32).fill(0xab);
const look = (modified: number, changed = modified): Look => ({
	mode: 0o100644,
	size: 1,
	modified,
	changed,
	inode: 7,
	device: 1,
});
const now = look(1_000 * second + 5.5);

function scanOf(names: readonly string[], looks: readonly Look[]): Scan {
	const scan = emptyScan("key");
	scan.folders.push("");
	scan.starts.push(0);
	scan.ends.push(1);
	put(scan.folderLooks, 0, look(1.5));
	scan.folderLooks.length = 1;
	for (const [at, name] of names.entries()) {
		enter(scan, name, looks[at] ?? look(1.5), undefined, -1);
		setHash(scan, at, hash, 0);
	}
	return scan;
}

function written(scan: Scan): Uint8Array {
	const bytes: number[] = [];
	for (const piece of writeCache(
		{ stateLook: "s", scans: new Map([["key", scan]]), agreed: new Map() },
		now,
		tree,
	))
		bytes.push(...piece);
	return Uint8Array.from(bytes);
}

describe("the cache", () => {
	it("reads what it wrote, whatever the names are", () => {
		fc.assert(
			fc.property(
				fc.array(
					fc
						.string({ unit: "binary", minLength: 1 })
						.map((name) => name.replaceAll("\0", "\udc80\\")),
				),
				(names) => {
					const read = readCache(written(scanOf(names, [])), tree);
					const scan = read?.scans.get("key");
					expect(read?.stateLook).toBe("s");
					expect(scan?.names).toEqual(names);
					for (const at of names.keys()) {
						expect(hashAt((scan as Scan).hashes, at)).toBe("ab".repeat(32));
						expect(lookOf((scan as Scan).looks, at)).toEqual(look(1.5));
					}
				},
			),
		);
	});

	it("reads what it wrote in many pieces", () => {
		const names = Array.from({ length: 5_000 }, (_, at) => `name-${at}`);
		const scan = scanOf(names, []);
		for (const at of names.keys()) {
			const own = new Uint8Array(32);
			new DataView(own.buffer).setUint32(0, at + 1);
			setHash(scan, at, own, 0);
		}
		const bytes = written(scan);
		const read = readCache(bytes, tree)?.scans.get("key");
		expect(read?.names).toEqual(names);
		for (const at of names.keys())
			expect(hashAt((read as Scan).hashes, at)).toBe(hashAt(scan.hashes, at));
		for (const at of [0, 70_000, 150_000, bytes.length - 1]) {
			const other = bytes.slice();
			other[at] = (other[at] as number) ^ 1;
			expect(readCache(other, tree), `byte ${at}`).toBeUndefined();
		}
	});

	it("is none when any byte of it is another, or the end is missing", () => {
		const bytes = written(scanOf(["one", "two"], []));
		expect(readCache(bytes, tree)).toBeDefined();
		for (let at = 0; at < bytes.length; at++) {
			const other = bytes.slice();
			other[at] = (other[at] as number) ^ 1;
			expect(readCache(other, tree), `byte ${at}`).toBeUndefined();
			expect(readCache(bytes.slice(0, at), tree)).toBeUndefined();
		}
	});

	it("keeps no hash of what may change again within its own tick", () => {
		const scan = scanOf(
			["old", "same tick", "later", "changed late"],
			[
				look(now.modified - 1),
				look(now.modified),
				look(now.modified + 1),
				look(1.5, now.modified),
			],
		);
		const read = readCache(written(scan), tree)?.scans.get("key");
		expect(
			scan.names.map((_, at) => hashAt((read as Scan).hashes, at) !== ""),
		).toEqual([true, false, false, false]);
	});

	it("gives coarse clocks and other devices two seconds", () => {
		expect(isYoung(look(999 * second), now)).toBe(true);
		expect(isYoung(look(998 * second), now)).toBe(false);
		expect(isYoung({ ...look(now.modified - second), device: 2 }, now)).toBe(
			true,
		);
	});
});
