import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Fault } from "../kernel/outcome.ts";
import {
	blockLength,
	type FileTree,
	kindOf,
	type Look,
	openBatch,
	readLook,
} from "./file-tree.ts";

export interface FileTreeStage {
	readonly tree: FileTree;
	/** An empty folder to work in, absolute. */
	readonly folder: string;
	/** Puts a file there by other means than the tree, folders and all. */
	put(path: string, text: string, permissions?: number): void;
	/** Puts a link there. */
	putLink(path: string, target: string): void;
	/** Makes what was put visible, where that takes a step of its own. */
	ready?(): FileTree;
	end(): void;
}

const hashOf = {
	one: "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
	"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
};

/** What every file tree keeps to, also one that cannot be written. */
export function fileTreeReadingContract(
	name: string,
	make: () => FileTreeStage,
): void {
	describe(`file tree, reading: ${name}`, () => {
		let stage: FileTreeStage;
		let folder: string;

		beforeEach(() => {
			stage = make();
			folder = stage.folder;
		});
		afterEach(() => stage.end());

		const tree = () => stage.ready?.() ?? stage.tree;

		it("sees nothing where nothing is, not even below a file", () => {
			stage.put("file", "one");
			expect(tree().look(`${folder}/none`)).toBeUndefined();
			expect(tree().lookThrough(`${folder}/none`)).toBeUndefined();
			expect(tree().look(`${folder}/file/below`)).toBeUndefined();
		});

		it("tells files, folders and links apart, and lists them sorted", () => {
			stage.put("b", "one");
			stage.put("a/c", "one");
			stage.put("B", "one");
			stage.putLink("link", "b");
			expect(
				tree()
					.list(folder)
					.filter(({ name: listed }) => listed !== ".git"),
			).toEqual([
				{ name: "B", kind: "file" },
				{ name: "a", kind: "folder" },
				{ name: "b", kind: "file" },
				{ name: "link", kind: "link" },
			]);
			const kinds = ["b", "a", "link"].map((path) =>
				kindOf((tree().look(`${folder}/${path}`) as Look).mode),
			);
			expect(kinds).toEqual(["file", "folder", "link"]);
			expect(tree().target(`${folder}/link`)).toBe("b");
		});

		it("tells whether a file may be run", () => {
			stage.put("run", "one", 0o755);
			stage.put("read", "one", 0o644);
			const may = (path: string) =>
				(tree().look(`${folder}/${path}`)?.mode ?? 0) & 0o111;
			expect(may("run")).toBe(0o111);
			expect(may("read")).toBe(0);
		});

		it("reads and digests every byte", () => {
			stage.put("one", "one");
			stage.put("empty", "");
			const read = tree();
			expect(read.decode(read.read(`${folder}/one`))).toBe("one");
			for (const [path, hash] of [
				["one", hashOf.one],
				["empty", hashOf[""]],
			] as const) {
				const look = read.look(`${folder}/${path}`) as Look;
				expect(read.digest(`${folder}/${path}`, look)).toBe(hash);
			}
		});

		it("says that what is read is not there", () => {
			const missing = codeOf(() => tree().read(`${folder}/none`));
			expect(missing).toBe("file-tree/missing");
		});

		it("looks at many as it looks at one, and knows nothing of what is not there", () => {
			const folders: string[] = [];
			for (let at = 0; at < blockLength + 3; at++) {
				const name = `d${String(at).padStart(3, "0")}`;
				folders.push(name);
				stage.put(`${name}/one`, "one");
				stage.put(`${name}/two\n`, "two", at % 2 === 0 ? 0o755 : 0o644);
			}
			const read = tree();
			read.expect(1_000_000);
			const names = folders.map((name) => [name, "gone", "one", "two\n"]);
			const [looks] = read.lookAll([
				{
					root: folder,
					blocks: [
						["", ...names.slice(0, blockLength - 1).flat()].join("\0"),
						names
							.slice(blockLength - 1)
							.flat()
							.join("\0"),
					],
					starts: Int32Array.from([0, ...folders.map((_, at) => at * 3)]),
					count: folders.length * 3,
				},
			]) as [Float64Array];
			expect(readLook(looks, 0)).toEqual(read.look(folder));
			for (const [at, name] of folders.entries()) {
				const seen = [0, 1, 2, 3].map((more) =>
					readLook(looks, 1 + at * 4 + more),
				);
				expect(seen[0]).toEqual(read.look(`${folder}/${name}`));
				expect(seen[1]?.mode).toBe(0);
				expect(seen[2]).toEqual(read.look(`${folder}/${name}/one`));
				expect(seen[3]).toEqual(read.look(`${folder}/${name}/two\n`));
			}
		});

		it("digests many as it digests one, old or of this very moment, and nothing through a link", () => {
			for (let at = 0; at < 150; at++)
				stage.put(`${at % 7}/${at}`, String(at % 5));
			stage.putLink("0/link", "0");
			const read = tree();
			const mark = read.look(folder);
			for (const since of [
				undefined,
				mark,
				mark && { ...mark, modified: mark.modified + 1e6 },
			]) {
				const batch = openBatch();
				for (let at = 0; at < 150; at++)
					batch.add(`${folder}/${at % 7}`, String(at));
				batch.add(`${folder}/0`, "link");
				batch.add(`${folder}/0`, "none");
				batch.add(folder, "0");
				const { looks, hashes } = read.digestAll(batch.finish(), since);
				for (let at = 0; at < 150; at++) {
					const path = `${folder}/${at % 7}/${at}`;
					const look = readLook(looks, at);
					expect(look).toEqual(read.look(path));
					const hash = hashes.subarray(at * 32, at * 32 + 32);
					expect(
						Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(
							"",
						),
					).toBe(read.digest(path, look));
				}
				for (const at of [150, 151, 152])
					expect(readLook(looks, at).mode).toBe(0);
			}
		});

		it("tells whether two paths are one file", () => {
			stage.put("one", "one");
			stage.put("two", "one");
			const read = tree();
			expect(read.isOneFile(`${folder}/one`, `${folder}/one`)).toBe(true);
			expect(read.isOneFile(`${folder}/one`, `${folder}/two`)).toBe(false);
			expect(read.isOneFile(`${folder}/one`, `${folder}/none`)).toBe(false);
		});

		it("keeps text through bytes", () => {
			const text = "ä€😀\0\n";
			expect(tree().decode(tree().encode(text))).toBe(text);
		});

		it("sums bytes up, at once or one part after the other", () => {
			const { encode, checksum } = tree();
			expect(checksum(encode("123456789"), 0)).toBe(0xcbf4_3926);
			expect(checksum(encode("6789"), checksum(encode("12345"), 0))).toBe(
				0xcbf4_3926,
			);
		});
	});
}

/** What every file tree keeps to that can be written as well. */
export function fileTreeContract(
	name: string,
	make: () => FileTreeStage,
): void {
	fileTreeReadingContract(name, make);

	describe(`file tree: ${name}`, () => {
		let stage: FileTreeStage;
		let tree: FileTree;
		let at: (path: string) => string;
		const bytes = (text: string) => tree.encode(text);
		const text = (path: string) => tree.decode(tree.read(at(path)));

		beforeEach(() => {
			stage = make();
			tree = stage.tree;
			at = (path) => `${stage.folder}/${path}`;
		});
		afterEach(() => stage.end());

		it("writes a new file with exactly these permissions, and never over another", () => {
			tree.write(at("new"), bytes("one"), 0o666);
			expect(text("new")).toBe("one");
			expect((tree.look(at("new"))?.mode ?? 0) & 0o777).toBe(0o666);
			expect(codeOf(() => tree.write(at("new"), bytes("two"), 0o644))).toBe(
				"file-tree/exists",
			);
			expect(text("new")).toBe("one");
		});

		it("tells that a second name, and a link, is one file with the first", () => {
			stage.put("file", "one");
			tree.keep(at("file"), at("kept"));
			tree.link("file", at("link"));
			expect(tree.isOneFile(at("file"), at("kept"))).toBe(true);
			expect(tree.isOneFile(at("link"), at("kept"))).toBe(true);
		});

		it("adds to the end", () => {
			tree.append(at("log"), bytes("a"));
			tree.append(at("log"), bytes("b"));
			expect(text("log")).toBe("ab");
		});

		it("copies bytes and gives their hash, and never over another", () => {
			stage.put("from", "one");
			expect(tree.copy(at("from"), at("to"), 0o755)).toBe(hashOf.one);
			expect(text("to")).toBe("one");
			expect((tree.look(at("to"))?.mode ?? 0) & 0o777).toBe(0o755);
			stage.put("other", "two");
			expect(codeOf(() => tree.copy(at("from"), at("other"), 0o644))).toBe(
				"file-tree/exists",
			);
			expect(text("other")).toBe("two");
		});

		it("keeps a file under a second name, through a rename over the first", () => {
			stage.put("file", "one");
			stage.put("next", "two");
			tree.keep(at("file"), at("kept"));
			tree.rename(at("next"), at("file"));
			expect(text("kept")).toBe("one");
			expect(text("file")).toBe("two");
			expect(tree.look(at("next"))).toBeUndefined();
			expect(codeOf(() => tree.keep(at("file"), at("kept")))).toBe(
				"file-tree/exists",
			);
		});

		it("keeps a link as a link, even one that leads nowhere", () => {
			tree.link("nowhere", at("link"));
			tree.keep(at("link"), at("kept"));
			expect(tree.target(at("kept"))).toBe("nowhere");
			expect(tree.lookThrough(at("kept"))).toBeUndefined();
		});

		it("makes and takes away folders; making one twice is nothing", () => {
			tree.makeFolder(at("folder"));
			tree.makeFolder(at("folder"));
			tree.write(at("folder/file"), bytes("one"), 0o644);
			expect(codeOf(() => tree.removeFolder(at("folder")))).toBeDefined();
			tree.remove(at("folder/file"));
			tree.settle(at("folder"));
			tree.removeFolder(at("folder"));
			expect(tree.look(at("folder"))).toBeUndefined();
			stage.put("file", "one");
			expect(codeOf(() => tree.makeFolder(at("file")))).toBe(
				"file-tree/exists",
			);
		});

		it("notices a file that is not as it was seen", () => {
			stage.put("file", "one");
			const look = tree.look(at("file")) as Look;
			stage.put("file", "another");
			expect(codeOf(() => tree.digest(at("file"), look))).toBe(
				"file-tree/changing",
			);
		});

		it("sets permissions", () => {
			stage.put("file", "one", 0o644);
			tree.setPermissions(at("file"), 0o600);
			expect((tree.look(at("file"))?.mode ?? 0) & 0o777).toBe(0o600);
		});

		it("follows links only when asked to", () => {
			stage.put("real/file", "one");
			tree.link("real", at("link"));
			expect(kindOf(tree.look(at("link"))?.mode ?? 0)).toBe("link");
			expect(kindOf(tree.lookThrough(at("link"))?.mode ?? 0)).toBe("folder");
			expect(tree.real(at("link/file"))).toBe(tree.real(at("real/file")));
			expect(tree.real(at("none"))).toBeUndefined();
			tree.link("circle", at("circle"));
			expect(tree.lookThrough(at("circle"))).toBeUndefined();
		});

		it("digests what is larger than any buffer", () => {
			const piece = "0123456789abcdef".repeat(65_536);
			stage.put("large", `${piece.repeat(3)}x`);
			const look = tree.look(at("large")) as Look;
			expect(tree.copy(at("large"), at("copy"), 0o600)).toBe(
				tree.digest(at("large"), look),
			);
			expect(tree.look(at("copy"))?.size).toBe(look.size);
		});
	});
}

function codeOf(work: () => unknown): string | undefined {
	try {
		work();
		return undefined;
	} catch (thrown) {
		if (thrown instanceof Fault) return thrown.code;
		throw thrown;
	}
}
