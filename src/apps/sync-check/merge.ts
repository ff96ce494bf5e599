import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import {
	type Check,
	isInSync,
	loadDiff,
	type Row,
} from "../../contexts/sync/index.ts";
import { type Session, shown } from "./session.ts";
import { asWord } from "./text.ts";

/**
 * Writes beside each copy what comes of joining both sides. Neither side is touched. The base is looked
 * for by its hash in git's history of either side; without it, every difference stands between markers.
 */
export async function merge(session: Session, checked: Check): Promise<number> {
	const { parts, streams, read } = session;
	const { isText, mergeTexts } = await loadDiff();
	const leave = (row: Row, why: string) =>
		streams.out.write(`left alone  ${shown(row.copy.path, session)}: ${why}\n`);
	for (const row of checked.rows) {
		const [left, right] = [row.copy.fact, row.source.fact];
		if (left.kind !== "file" || right.kind !== "file") {
			if (!isInSync(row.status))
				leave(row, `it is ${row.status}, and only two files can be merged`);
			continue;
		}
		if (left.hash === right.hash) {
			leave(row, "both sides hold the same bytes");
			continue;
		}
		const source = parts.tree.read(row.source.path);
		const copy = parts.tree.read(row.copy.path);
		if (!isText(source) || !isText(copy)) {
			leave(row, "it is not text");
			continue;
		}
		const base = findBase(row);
		const merged = mergeTexts(
			base,
			parts.tree.decode(copy),
			parts.tree.decode(source),
			{
				left: shown(row.copy.path, session),
				right: shown(row.source.path, session),
			},
		);
		const target = `${row.copy.path}.dos-merge`;
		const how = `${base === undefined ? "two-way, as the base is in no history" : "three-way"}, ${merged.conflicts} ${merged.conflicts === 1 ? "conflict" : "conflicts"}`;
		if (read.dryRun) {
			streams.out.write(`would write  ${shown(target, session)} (${how})\n`);
			continue;
		}
		if (parts.tree.look(target)) {
			leave(
				row,
				`${shown(target, session)} stands there already: use it, or take it away`,
			);
			continue;
		}
		parts.tree.write(target, parts.tree.encode(merged.text), 0o644);
		streams.out.write(
			`wrote  ${shown(target, session)} (${how}). When it is right, put it in the source's place and run --fix --force ${asWord(shown(row.copy.path, session))}.\n`,
		);
	}
	if (checked.rows.length === 0) streams.out.write("Nothing to merge.\n");
	return checked.inSync ? 0 : 1;
}

function findBase(row: Row): string | undefined {
	if (row.base === undefined) return undefined;
	for (const { path } of [row.source, row.copy]) {
		const git = (...words: readonly string[]) =>
			execFileSync("git", ["-C", dirname(path), ...words], {
				maxBuffer: 1 << 28,
				stdio: ["ignore", "pipe", "ignore"],
			});
		try {
			const commits = git("log", "-n", "200", "--format=%H", "--", path)
				.toString()
				.split("\n")
				.filter((commit) => commit !== "");
			for (const commit of commits) {
				let blob: Buffer;
				try {
					blob = git(
						"show",
						`${commit}:./${path.slice(path.lastIndexOf("/") + 1)}`,
					);
				} catch {
					continue;
				}
				if (createHash("sha256").update(blob).digest("hex") === row.base)
					return blob.toString();
			}
		} catch {
			// No git, or no repository there: then there is no history to ask.
		}
	}
	return undefined;
}
