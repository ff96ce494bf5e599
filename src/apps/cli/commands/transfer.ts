import { once } from "node:events";
import { createReadStream, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import {
	exportLog as exportLines,
	importLog as importLines,
} from "../../../contexts/log/index.ts";
import { Fault } from "../../../kernel/outcome.ts";
import { logOrigin } from "../../checkpoints.ts";
import { signatureChecks, withBareLog, withLedger } from "../../ledger.ts";
import { counted } from "../amounts.ts";
import { usage } from "../errors.ts";
import type { Session } from "../session.ts";
import { trustedKeys } from "../trust.ts";

/** Writes the log to a new file, whole or not at all, or to standard output. */
export async function exportLog(
	session: Session,
	file: string | undefined,
): Promise<void> {
	if (file === undefined && session.json)
		throw usage(
			"With --json, name a file: the export itself is what goes to standard output.",
		);
	await withLedger(session.home, async (ledger) => {
		const { log, digest } = ledger;
		const progress = session.progress("Events exported:");
		let events = 0;
		const lines = exportLines({
			log,
			digest,
			origin: await logOrigin(log),
			signer: await ledger.signer(),
			onProgress(done, of) {
				events = done;
				progress.at(done, of);
			},
		});
		try {
			if (file === undefined)
				for await (const piece of lines) await session.write(piece);
			else await writeNew(file, lines);
		} finally {
			progress.end();
		}
		if (file === undefined)
			session.note(`${counted(events, "event")} exported.`);
		else
			session.result(
				{ file, events },
				() => `${counted(events, "event")} exported to ${file}.`,
			);
	});
}

export async function importLog(
	session: Session,
	file: string,
	options: { readonly trust?: readonly string[] },
): Promise<void> {
	const { home } = session;
	const trusted = trustedKeys(options.trust);
	const input = file === "-" ? session.streams.in : createReadStream(file);
	if (file !== "-")
		await once(input, "open").catch((cause) => unreadable(file, cause));
	const progress = session.progress("Events imported:");
	const { size, root, signedBy } = await withBareLog(home, (log) =>
		importLines({
			log,
			text: input.setEncoding("utf8") as AsyncIterable<string>,
			onProgress: progress.at,
			...signatureChecks(),
			...(options.trust && { keys: trusted }),
		}),
	).finally(progress.end);
	const done = {
		events: size,
		root: Buffer.from(root).toString("base64"),
		signedBy,
	};
	session.result(done, () =>
		[
			`${counted(size, "event")} imported into ${home.folder}; the root is that of the export:`,
			done.root,
			options.trust
				? `Signed by ${signedBy}, as you asked.`
				: `Signed by ${signedBy}. Is this the key you know? --trust <key> insists on it.`,
		].join("\n"),
	);
}

async function writeNew(
	file: string,
	pieces: AsyncIterable<string>,
): Promise<void> {
	const target = await open(file, "wx", 0o600).catch(
		(cause: NodeJS.ErrnoException) => {
			throw new Fault(
				"file/unwritable",
				cause.code === "EEXIST"
					? `${file} exists. Name a new file.`
					: `${file} cannot be written (${cause.code}).`,
				{ cause },
			);
		},
	);
	try {
		for await (const piece of pieces) await target.write(piece);
		await target.sync();
		await target.close();
	} catch (fault) {
		await target.close();
		rmSync(file, { force: true });
		throw fault;
	}
}

function unreadable(file: string, cause: NodeJS.ErrnoException): never {
	throw new Fault(
		"file/unreadable",
		`${file} cannot be read (${cause.code}).`,
		{ cause },
	);
}
