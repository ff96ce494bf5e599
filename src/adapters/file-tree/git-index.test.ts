import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
	type FileTreeStage,
	fileTreeReadingContract,
} from "../../ports/file-tree.contract.ts";
import { openRealFolder } from "../../ports/file-tree.fixture.ts";
import { gitIndexTree } from "./git-index.ts";
import { nodeFileTree } from "./node.ts";

function stage(): FileTreeStage & { git(...words: string[]): void } {
	const real = openRealFolder();
	const { folder } = real;
	const git = (...words: string[]) => {
		execFileSync("git", ["-C", folder, ...words], { stdio: "ignore" });
	};
	git("init", "-q");
	const open = () => {
		const opened = gitIndexTree(nodeFileTree(), folder);
		if (!opened) throw new Error("no repository");
		return opened.tree;
	};
	return {
		get tree() {
			return open();
		},
		folder,
		put: real.put,
		putLink: real.putLink,
		end: real.end,
		git,
		ready() {
			git("add", "-A");
			return open();
		},
	};
}

// It cannot be written: what is staged changes through git alone.
fileTreeReadingContract("git's index", stage);

describe("git's index", () => {
	let repository: ReturnType<typeof stage>;
	beforeEach(() => {
		repository = stage();
	});
	afterEach(() => repository.end());

	it("holds what is staged, not what lies on the disk", () => {
		const { folder, put } = repository;
		put("file", "staged");
		repository.ready?.();
		put("file", "not staged");
		put("untracked", "one");
		const { tree } = repository;
		expect(tree.decode(tree.read(`${folder}/file`))).toBe("staged");
		expect(tree.look(`${folder}/untracked`)).toBeUndefined();
	});

	it("names what the next commit changes, removals as well", () => {
		const { folder, put, git } = repository;
		put("stays", "1");
		put("goes", "2");
		repository.ready?.();
		git(
			"-c",
			"user.name=a",
			"-c",
			"user.email=a@example.org",
			"commit",
			"-qm",
			"x",
		);
		put("comes", "3");
		rmSync(join(folder, "goes"));
		repository.ready?.();
		expect(gitIndexTree(nodeFileTree(), folder)?.changed).toEqual([
			`${folder}/comes`,
			`${folder}/goes`,
		]);
	});

	it("is none outside a repository", () => {
		const outside = mkdtempSync(join(tmpdir(), "no-repository-"));
		try {
			expect(gitIndexTree(nodeFileTree(), outside)).toBeUndefined();
		} finally {
			rmSync(outside, { recursive: true });
		}
	});

	it("is read only", () => {
		const { tree, folder } = repository;
		expect(() => tree.remove(`${folder}/file`)).toThrow("only read");
	});
});
