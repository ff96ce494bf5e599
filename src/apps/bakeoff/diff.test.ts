import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { unifiedDiff } from "./diff.ts";

const folder = mkdtempSync(join(tmpdir(), "dos-diff-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("is as `diff -u` prints it", () => {
	expect(
		unifiedDiff("a\nb\nc\nd\ne\nf\ng\nh\n", "a\nb\nc\nd\nX\nf\ng\nh\nY\n", "n"),
	).toBe("--- n\n+++ n\n@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+X\n f\n g\n h\n+Y\n");
	expect(unifiedDiff("", "a\nb\n", "n")).toBe(
		"--- n\n+++ n\n@@ -0,0 +1,2 @@\n+a\n+b\n",
	);
	expect(unifiedDiff("a\n", "a\n", "n")).toBe("");
});

it("makes the second text of the first, by the program that everybody has", () => {
	const lines = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 25 });
	fc.assert(
		fc.property(lines, lines, (one, other) => {
			const [before, after] = [one, other].map((all) =>
				all.map((line) => `${line}\n`).join(""),
			) as [string, string];
			const diff = unifiedDiff(before, after, "file");
			if (diff === "") {
				expect(after).toBe(before);
				return;
			}
			writeFileSync(join(folder, "file"), before);
			writeFileSync(join(folder, "diff"), diff);
			execFileSync("git", ["apply", "--whitespace=nowarn", "-p0", "diff"], {
				cwd: folder,
			});
			expect(readFileSync(join(folder, "file"), "utf8")).toBe(after);
		}),
		{ numRuns: 25 },
	);
});
