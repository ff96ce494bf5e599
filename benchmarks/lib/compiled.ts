import { execFileSync } from "node:child_process";
import {
	copyFileSync,
	mkdtempSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const done = new Map<string, string>();

/**
 * A program beside this file, compiled as the published package is, with all that it imports. Run
 * from its sources it would hold the runtime's type stripper too, some 30 MB that no user has.
 * Compiled once for each, and gone with this process.
 */
export function compiled(file: string): string {
	const known = done.get(file);
	if (known) return known;
	const folder = mkdtempSync(join(tmpdir(), "dos-bench-compiled-"));
	process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
	const source = fileURLToPath(new URL(file, import.meta.url));
	copyFileSync(join(repository, "package.json"), join(folder, "package.json"));
	symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
	const config = {
		extends: join(repository, "tsconfig.json"),
		compilerOptions: {
			noEmit: false,
			noCheck: true,
			rootDir: repository,
			outDir: folder,
			typeRoots: [join(repository, "node_modules", "@types")],
		},
		files: [source],
		include: [],
	};
	writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
	const compiler = join(repository, "node_modules", "typescript", "bin", "tsc");
	execFileSync(process.execPath, [compiler, "-p", folder], {
		stdio: ["ignore", "inherit", "inherit"],
	});
	const result = join(
		folder,
		relative(repository, source).replace(/\.ts$/, ".js"),
	);
	done.set(file, result);
	return result;
}
