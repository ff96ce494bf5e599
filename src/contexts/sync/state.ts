import { escapeName, unescapeName } from "./path.ts";
import type { Base } from "./verdict.ts";

/** What each row held when its sides last agreed, by link, then by relative path. */
export interface Bases {
	get(link: string, path: string): Base | undefined;
	set(link: string, path: string, base: Base | undefined): void;
	/** Whether anything was set to something else since it was read. */
	readonly moved: boolean;
	/** The state's text, in pieces: a hundred thousand lines are never all in memory besides what they tell. */
	pieces(): Iterable<string>;
}

const title = "dos-sync state 1";
const pieceLength = 1 << 16;

/** Reads the state's text; "" is an empty one. Undefined when it is no state of ours. */
export function openBases(text: string): Bases | undefined {
	const links = new Map<string, Map<string, Base>>();
	let moved = false;
	if (text !== "") {
		const lines = text.split("\n");
		if (lines[0] !== title || lines.at(-1) !== "") return undefined;
		let rows: Map<string, Base> | undefined;
		for (let at = 1; at < lines.length - 1; at++) {
			const line = lines[at] as string;
			if (line.startsWith("= ")) {
				rows = new Map();
				links.set(unescapeName(line.slice(2)), rows);
				continue;
			}
			const tab = line.indexOf("\t");
			if (tab < 1 || !rows) return undefined;
			rows.set(
				unescapeName(line.slice(tab + 1)),
				unescapeName(line.slice(0, tab)),
			);
		}
	}
	return {
		get: (link, path) => links.get(link)?.get(path),
		set(link, path, base) {
			const rows = links.get(link) ?? new Map<string, Base>();
			if (rows.get(path) === base) return;
			moved = true;
			links.set(link, rows);
			if (base === undefined) rows.delete(path);
			else rows.set(path, base);
		},
		get moved() {
			return moved;
		},
		*pieces() {
			let piece = `${title}\n`;
			for (const [link, rows] of links) {
				if (rows.size === 0) continue;
				piece += `= ${escapeName(link)}\n`;
				for (const [path, base] of rows) {
					piece += `${escapeName(base)}\t${escapeName(path)}\n`;
					if (piece.length < pieceLength) continue;
					yield piece;
					piece = "";
				}
			}
			yield piece;
		},
	};
}
