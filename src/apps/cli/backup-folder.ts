import {
	closeSync,
	createReadStream,
	fstatSync,
	openSync,
	readdirSync,
	readSync,
} from "node:fs";
import { join } from "node:path";
import type { ExportPart } from "../../contexts/log/index.ts";
import { Fault } from "../../kernel/outcome.ts";

/**
 * A folder of exports that follow one another: `<first>-<last>.jsonl` by the positions in it, a checkpoint of the
 * same name beside each. A file has that name only once it is whole and on the disk.
 */
export interface BackupPart {
	/** Events before its first. */
	readonly after: number;
	/** Its last event. */
	readonly size: number;
	readonly file: string;
}

/** The parts that make up the newest state, in order: of those that begin at one place, the longest. */
export function backupParts(folder: string): readonly BackupPart[] {
	const all = namesIn(folder).flatMap((name): readonly BackupPart[] => {
		const found = /^(\d{12,})-(\d{12,})\.jsonl$/.exec(name);
		if (!found) return [];
		const [first, size] = [Number(found[1]), Number(found[2])];
		return [{ after: first - 1, size, file: join(folder, name) }];
	});
	const parts: BackupPart[] = [];
	for (;;) {
		const after = parts.at(-1)?.size ?? 0;
		const next = all
			.filter((part) => part.after === after && part.size > after)
			.sort((one, other) => other.size - one.size)[0];
		if (!next) break;
		parts.push(next);
	}
	const behind = all.find(({ after }) => after > (parts.at(-1)?.size ?? 0));
	if (behind)
		throw new Fault(
			"backup/part-missing",
			`${behind.file} follows event ${behind.after}, and no part in ${folder} ends there: a file is missing.`,
		);
	return parts;
}

export function partName(after: number, size: number): string {
	const padded = (position: number) => String(position).padStart(12, "0");
	return `${padded(after + 1)}-${padded(size)}`;
}

export function openPart({ file }: BackupPart): ExportPart {
	return {
		name: file,
		text: createReadStream(file, "utf8") as AsyncIterable<string>,
	};
}

/** The signed checkpoint that a part ends with, and the key it names. */
export function checkpointIn({ file }: BackupPart): {
	readonly note: string;
	readonly key: string;
} {
	const descriptor = openSync(file, "r");
	try {
		const { size } = fstatSync(descriptor);
		const end = Buffer.alloc(Math.min(size, 64 * 1_024));
		readSync(descriptor, end, 0, end.length, size - end.length);
		const line = end.toString().trimEnd().split("\n").at(-1) as string;
		const { checkpoint, key } = JSON.parse(line) as Record<string, unknown>;
		if (typeof checkpoint === "string" && typeof key === "string")
			return { note: checkpoint, key };
	} catch (cause) {
		if (!(cause instanceof SyntaxError)) throw cause;
	} finally {
		closeSync(descriptor);
	}
	throw new Fault(
		"backup/damaged",
		`${file} does not end with a checkpoint: it was cut off. Put it back from another copy, or begin a new backup in another folder.`,
	);
}

function namesIn(folder: string): readonly string[] {
	try {
		return readdirSync(folder);
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		if (code === "ENOENT") return [];
		throw new Fault(
			"file/unreadable",
			code === "ENOTDIR"
				? `${folder} is a file. A backup is a folder; a single export is read by dos import.`
				: `${folder} cannot be read (${code}).`,
			{ cause },
		);
	}
}
