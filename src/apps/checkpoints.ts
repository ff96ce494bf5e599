import {
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { openTree, signCheckpoint } from "../contexts/log/index.ts";
import { Fault } from "../kernel/outcome.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { Home } from "./home.ts";
import type { Ledger } from "./ledger.ts";

/** A signed checkpoint as it was kept. */
export interface KeptCheckpoint {
	readonly file: string;
	/** Events that it covers, by its file's name. */
	readonly size: number;
	/** Milliseconds since 1970 UTC. */
	readonly time: number;
}

/**
 * What checkpoints and exports call this log: from its first event, so that it stays the same wherever
 * the log is taken. Throws `log/empty` where there is nothing to speak of yet.
 */
export async function logOrigin(log: EventLog): Promise<string> {
	const first = await log.at(1);
	if (!first)
		throw new Fault("log/empty", "The log has no event yet. Run: dos init");
	return `duranteos/${first.hash.slice(0, 32)}`;
}

/** Signs the log as it is now and keeps the note in the home's `checkpoints/`. */
export async function makeCheckpoint(ledger: Ledger): Promise<{
	readonly note: string;
	readonly size: number;
	readonly root: string;
	readonly file: string;
}> {
	const { log, digest, derived, home } = ledger;
	const origin = await logOrigin(log);
	const tree = await openTree({ log, digest, derived });
	await tree.catchUp();
	const size = tree.size();
	const root = await tree.root(size);
	const note = signCheckpoint(
		{ origin, size, root },
		await ledger.signer(),
		digest,
	);
	await tree.save();
	mkdirSync(home.checkpoints, { recursive: true, mode: 0o700 });
	const file = join(home.checkpoints, `${String(size).padStart(12, "0")}.txt`);
	writeFileSync(file, note, { mode: 0o600 });
	return { note, size, root: Buffer.from(root).toString("base64"), file };
}

/** The checkpoints that were kept, the oldest first. */
export function keptCheckpoints(home: Home): readonly KeptCheckpoint[] {
	let names: readonly string[];
	try {
		names = readdirSync(home.checkpoints);
	} catch {
		return [];
	}
	return names
		.filter((name) => /^\d+\.txt$/.test(name))
		.sort()
		.map((name) => {
			const file = join(home.checkpoints, name);
			return {
				file,
				size: Number(basename(name, ".txt")),
				time: statSync(file).mtimeMs,
			};
		});
}

export function readCheckpoint({ file }: KeptCheckpoint): string {
	return readFileSync(file, "utf8");
}
