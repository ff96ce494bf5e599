import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import {
	type FileTreeStage,
	fileTreeContract,
} from "../../ports/file-tree.contract.ts";
import { openRealFolder } from "../../ports/file-tree.fixture.ts";
import { openBatch } from "../../ports/file-tree.ts";
import { type Job, lostUnits } from "./batch.ts";
import { nodeFileTree } from "./node.ts";

function stage(helpers?: number): FileTreeStage {
	return { tree: nodeFileTree(helpers), ...openRealFolder() };
}

fileTreeContract("node", () => stage());
fileTreeContract("node, with a thread beside it", () => stage(1));

describe("a thread that helps", () => {
	it("does what this one would have done", async () => {
		const { tree, folder, put, end } = stage();
		const worker = new Worker(new URL("./batch-worker.ts", import.meta.url));
		try {
			const batch = openBatch();
			for (let at = 0; at < 200; at++) {
				put(`${at % 3}/${at}`, `${at}`);
				batch.add(`${folder}/${at % 3}`, `${at}`);
			}
			const mark = tree.look(folder);
			const files = batch.finish();
			const shared = new Int32Array(
				new SharedArrayBuffer((2 + files.blocks.length) * 4),
			);
			const looks = new Float64Array(new SharedArrayBuffer(200 * 48));
			const hashes = new Uint8Array(new SharedArrayBuffer(200 * 32));
			worker.postMessage({
				task: { kind: "read", batch: files, looks, hashes, mark },
				shared,
			} satisfies Job);
			await expect
				.poll(() => Array.from(shared.subarray(2)), { timeout: 5_000 })
				.toEqual(files.blocks.map(() => 1));
			const own = tree.digestAll(files, mark);
			expect(Array.from(hashes)).toEqual(Array.from(own.hashes));
			expect(Array.from(looks)).toEqual(Array.from(own.looks));
			expect(own.looks[0]).not.toBe(0);
		} finally {
			await worker.terminate();
			end();
		}
	});

	it("and dies is not waited for", () => {
		const shared = new Int32Array(new SharedArrayBuffer(20));
		shared.set([3, 1, 1, 0, 1]);
		expect(lostUnits(shared, 3, 20)).toEqual([1]);
		shared[3] = 1;
		expect(lostUnits(shared, 3, 20)).toEqual([]);
	});
});

describe("names that are no UTF-8", () => {
	it.runIf(process.platform === "linux")(
		"are listed, read, renamed and taken away, byte for byte",
		() => {
			const { tree, folder, end } = stage();
			try {
				const raw = Buffer.from([0x61, 0xff, 0xc3, 0xa4, 0xe2, 0x82]);
				writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), raw]), "one");
				writeFileSync(join(folder, "real \ufffd"), "two");
				const names = tree.list(folder).map(({ name }) => name);
				expect(names).toEqual(["a\udcffä\udce2\udc82", "real \ufffd"].sort());
				expect(
					names
						.map((name) => tree.decode(tree.read(`${folder}/${name}`)))
						.sort(),
				).toEqual(["one", "two"]);
				tree.rename(`${folder}/a\udcffä\udce2\udc82`, `${folder}/b\udcfe`);
				expect(
					readdirSync(folder, { encoding: "buffer" }).map((name) =>
						Buffer.from(name).toString("hex"),
					),
				).toContain("62fe");
			} finally {
				end();
			}
		},
	);
});
