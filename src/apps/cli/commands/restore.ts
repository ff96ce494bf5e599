import { restoreLog as restoreParts } from "../../../contexts/log/index.ts";
import { Fault } from "../../../kernel/outcome.ts";
import { signatureChecks, withBareLog } from "../../ledger.ts";
import { counted, timeText } from "../amounts.ts";
import { backupParts, openPart } from "../backup-folder.ts";
import { usage } from "../errors.ts";
import type { Session } from "../session.ts";
import { trustedKeys } from "../trust.ts";

interface RestoreOptions {
	readonly toPosition?: number;
	readonly toTime?: number;
	readonly check?: boolean;
	readonly trust?: readonly string[];
}

/** Reads a backup into an empty home or database, whole or up to a point; with `check`, nowhere. */
export async function restore(
	session: Session,
	folder: string,
	{ toPosition, toTime, check, trust }: RestoreOptions,
): Promise<void> {
	if (toPosition !== undefined && toTime !== undefined)
		throw usage("Give --to-position or --to-time, not both.");
	const trusted = trustedKeys(trust);
	const parts = backupParts(folder);
	if (parts.length === 0)
		throw new Fault(
			"backup/missing",
			`There is no backup in ${folder}. A single export is read by dos import.`,
		);
	const progress = session.progress(
		check ? "Events checked:" : "Events restored:",
	);
	const options = {
		// Opened one after the other, as each is needed.
		parts: (function* () {
			for (const part of parts) yield openPart(part);
		})(),
		until: {
			...(toPosition !== undefined && { position: toPosition }),
			...(toTime !== undefined && { time: toTime }),
		},
		onProgress: progress.at,
		...signatureChecks(),
		...(trust && { keys: trusted }),
	};
	const { checkpoint, tip } = await (check
		? restoreParts(options)
		: withBareLog(session.home, (log) => restoreParts({ ...options, log }))
	).finally(progress.end);
	const document = {
		checked: check === true,
		events: tip.position,
		tip: tip.hash,
		time: tip.time,
		signed: checkpoint.size,
		root: Buffer.from(checkpoint.root).toString("base64"),
		signedBy: checkpoint.signedBy,
	};
	session.result(document, () => {
		const when =
			tip.position === 0 ? "" : `, the newest of ${timeText(tip.time)} UTC`;
		const whose = trust
			? `Signed by ${checkpoint.signedBy}, as you asked.`
			: `Signed by ${checkpoint.signedBy}. Is this the key you know? --trust <key> insists on it.`;
		return [
			check
				? `The backup can be restored: ${counted(tip.position, "event")}${when}.`
				: `${counted(tip.position, "event")} restored into ${session.home.folder}${when}.`,
			`Verified against the checkpoint over ${counted(checkpoint.size, "event")}; root ${document.root}`,
			whose,
		].join("\n");
	});
	if (!check)
		session.note(
			"\nNot in a backup: config.yaml, the vendors' keys, audit.key (put them back, or a new signing key is made) and kept answers.",
		);
}
