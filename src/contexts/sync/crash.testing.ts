import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import type { FileTree } from "../../ports/file-tree.ts";

/** Everything that changes a disk. */
const changes = [
	"write",
	"append",
	"copy",
	"link",
	"keep",
	"rename",
	"setPermissions",
	"makeFolder",
	"remove",
	"removeFolder",
	"settle",
] as const;

/** Not an `Error`, so that nothing on the way takes it for a fault it could handle. */
export const cut: unique symbol = Symbol("cut off");

export type When = "before" | "half" | "after";

/**
 * A tree whose process dies at the `at`-th change: before it, after it, or, where bytes are written, when
 * half of them are. From then on it does nothing, as a dead process cleans nothing up.
 */
export function dyingTree(
	tree: FileTree,
	at: number,
	when: When,
	die: () => never = () => {
		throw cut;
	},
): { readonly tree: FileTree; readonly counted: () => number } {
	let count = 0;
	let dead = false;
	const halve = (
		path: string,
		given: Uint8Array | Iterable<Uint8Array>,
		flag: string,
	) => {
		const bytes =
			given instanceof Uint8Array
				? given
				: Buffer.concat(Array.from(given, (piece) => piece.slice()));
		const file = openSync(path, flag);
		writeSync(file, bytes.subarray(0, bytes.length >> 1));
		closeSync(file);
	};
	const dying = { ...tree };
	for (const name of changes) {
		const real = tree[name] as (...words: unknown[]) => unknown;
		Object.assign(dying, {
			[name](...words: unknown[]) {
				if (dead) die();
				count++;
				if (count !== at) return real(...words);
				dead = true;
				if (when === "after") real(...words);
				if (when === "half") {
					if (name === "write" || name === "append")
						halve(
							words[0] as string,
							words[1] as Uint8Array,
							name === "write" ? "wx" : "a",
						);
					if (name === "copy")
						halve(words[1] as string, readFileSync(words[0] as string), "wx");
				}
				return die();
			},
		});
	}
	return { tree: dying, counted: () => count };
}
