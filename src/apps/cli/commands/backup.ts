import { mkdirSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
	exportLog,
	openCheckpoint,
	type SignedCheckpoint,
} from "../../../contexts/log/index.ts";
import { Fault } from "../../../kernel/outcome.ts";
import { logOrigin } from "../../checkpoints.ts";
import { withLogAsItIs } from "../../ledger.ts";
import { counted } from "../amounts.ts";
import {
	type BackupPart,
	backupParts,
	checkpointIn,
	partName,
} from "../backup-folder.ts";
import type { Session } from "../session.ts";

/**
 * Writes the log as it is now into a folder; where an earlier backup lies there, only what is new. Safe beside a
 * running server, and when it is killed: a part has its name only once it is whole and on the disk.
 */
export async function backup(session: Session, folder: string): Promise<void> {
	await withLogAsItIs(session.home, async ({ log, digest, signer: own }) => {
		const [origin, signer] = [await logOrigin(log), await own()];
		const earlier = backupParts(folder).at(-1);
		const after =
			earlier &&
			readEarlier(earlier, { verify: signer.verify, digest }, origin);
		const from = after?.size ?? 0;
		const progress = session.progress("Events backed up:");
		let signed: { note: string; size: number } | undefined;
		makeFolder(folder);
		const partial = join(folder, `.${process.pid}.partial`);
		try {
			const lines = exportLog({
				log,
				origin,
				signer,
				digest,
				...(after && { after }),
				onSigned(note, size) {
					signed = { note, size };
				},
				onProgress: progress.at,
			});
			await write(partial, lines);
			const { note, size } = signed as unknown as {
				note: string;
				size: number;
			};
			const name = partName(from, size);
			if (size > from) {
				const file = join(folder, `${name}.checkpoint`);
				await rename(partial, join(folder, `${name}.jsonl`));
				await write(`${partial}-note`, [note]);
				await rename(`${partial}-note`, file);
				await syncFolder(folder);
			}
			const document = {
				folder,
				file: size > from ? join(folder, `${name}.jsonl`) : null,
				events: size,
				added: size - from,
				checkpoint: note,
			};
			session.result(document, () =>
				[
					size > from
						? `${counted(size - from, "event")} written to ${document.file}; the backup holds ${size.toLocaleString("en")}.`
						: `Nothing is new since the last backup: it holds ${counted(size, "event")}.`,
					note.trimEnd(),
				].join("\n"),
			);
			session.note(
				`\nNot in the log, so not in the backup: config.yaml, the vendors' keys, audit.key (in ${session.home.folder}) and kept answers.\nTo see that it can be read: dos restore ${folder} --check`,
			);
		} finally {
			progress.end();
			await rm(partial, { force: true });
			await rm(`${partial}-note`, { force: true });
		}
	}).catch((fault: unknown) => {
		throw fault instanceof Fault && fault.code === "export/other-log"
			? logBehind(folder, fault)
			: fault;
	});
}

function readEarlier(
	part: BackupPart,
	checks: Pick<Parameters<typeof openCheckpoint>[1], "verify" | "digest">,
	origin: string,
): SignedCheckpoint {
	const { note, key } = checkpointIn(part);
	const opened = openCheckpoint(note, { ...checks, keys: [key] }, origin);
	if (opened.ok && opened.value.size === part.size) return opened.value;
	if (!opened.ok && opened.error.code === "checkpoint/other-log")
		throw new Fault(
			"backup/other-log",
			`A backup of another log lies there: ${part.file}. Name another folder.`,
		);
	throw new Fault(
		"backup/damaged",
		`${part.file} was changed: ${opened.ok ? "its checkpoint is over other events than its name says." : opened.error.message} Begin a new backup in another folder.`,
	);
}

function logBehind(folder: string, cause?: unknown): Fault {
	return new Fault(
		"backup/other-log",
		`The log does not begin with what lies in ${folder}: it was taken back to an earlier state since, or rewritten. Name another folder, and keep this one.`,
		cause === undefined ? {} : { cause },
	);
}

function makeFolder(folder: string): void {
	try {
		mkdirSync(folder, { recursive: true, mode: 0o700 });
	} catch (cause) {
		throw unwritable(folder, cause);
	}
}

async function write(
	file: string,
	pieces: AsyncIterable<string> | Iterable<string>,
): Promise<void> {
	const target = await open(file, "w", 0o600).catch((cause: unknown) => {
		throw unwritable(file, cause);
	});
	try {
		for await (const piece of pieces) await target.writeFile(piece);
		await target.sync();
	} finally {
		await target.close();
	}
}

/** Names in a folder survive a power cut once the folder itself is on the disk; some systems cannot be asked for that. */
async function syncFolder(folder: string): Promise<void> {
	const opened = await open(folder, "r").catch(() => undefined);
	await opened?.sync().catch(() => {});
	await opened?.close();
}

function unwritable(path: string, cause: unknown): Fault {
	const { code } = cause as NodeJS.ErrnoException;
	return new Fault("file/unwritable", `${path} cannot be written (${code}).`, {
		cause,
	});
}
