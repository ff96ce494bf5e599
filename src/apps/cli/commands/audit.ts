import { readFileSync } from "node:fs";
import { resolutionKey } from "../../../contexts/credits/index.ts";
import {
	type Audit,
	checkProof,
	openTree,
	proveEvent,
	signerKey,
	verifyLog,
} from "../../../contexts/log/index.ts";
import { readEvent } from "../../../kernel/event.ts";
import { Fault, refuse } from "../../../kernel/outcome.ts";
import { parseNote } from "../../../kernel/signed-note.ts";
import {
	keptCheckpoints,
	logOrigin,
	makeCheckpoint,
	readCheckpoint,
} from "../../checkpoints.ts";
import { signatureChecks, withLedger, withLogAsItIs } from "../../ledger.ts";
import { counted, timeText } from "../amounts.ts";
import { exitCodes, orRefused } from "../errors.ts";
import type { Session } from "../session.ts";
import { harmless } from "../style.ts";
import { pairs } from "../table.ts";
import { trustedKeys } from "../trust.ts";

interface VerifyCommandOptions {
	readonly checkpoint?: readonly string[];
	readonly trust?: readonly string[];
}

/** Exit code 1 when anything is found. */
export async function verify(
	session: Session,
	options: VerifyCommandOptions,
): Promise<number> {
	const trusted = trustedKeys(options.trust);
	const { home } = session;
	return withLogAsItIs(home, async ({ log, digest, signer: own }) => {
		const signer = await own();
		const given = (options.checkpoint ?? []).map(readGivenCheckpoint);
		const notes = [...keptCheckpoints(home).map(readCheckpoint), ...given];
		// A log whose first event is gone has no name left that a checkpoint could be of.
		const origin = (await log.at(1)) ? await logOrigin(log) : "duranteos/?";
		const progress = session.progress("Events verified:");
		const audit = await verifyLog({
			log,
			digest,
			onProgress: progress.at,
			...(notes.length > 0 && {
				checkpoints: {
					notes,
					origin,
					trust: {
						keys: [signerKey(signer, digest), ...trusted],
						verify: signer.verify,
						digest,
					},
				},
			}),
		}).finally(progress.end);
		session.result(audit, () => auditText(audit, session));
		return audit.ok ? exitCodes.ok : exitCodes.refused;
	});
}

export async function checkpoint(session: Session): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const made = await makeCheckpoint(ledger);
		const key = signerKey(await ledger.signer(), ledger.digest);
		session.result({ ...made, key }, () => made.note.trimEnd());
		session.note(
			`\nKept in ${made.file}. Keep a copy where this machine cannot reach it.\nIt verifies with the key ${key}`,
		);
	});
}

export async function prove(session: Session, call: string): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const { log, digest, derived } = ledger;
		const [resolved] = await log.findByKey([resolutionKey(call)]);
		if (!resolved) {
			const held = ledger.head.state("credits").holds.has(call);
			return orRefused(
				refuse(
					"receipt/unknown",
					held
						? "This call is in flight: it has a receipt when it has ended."
						: "There is no receipt of this call. Its id stands on the statement and in the answer's x-dos-call-id.",
				),
			);
		}
		const tree = await openTree({ log, digest, derived });
		const proof = orRefused(
			await proveEvent(resolved.position, {
				log,
				tree,
				origin: await logOrigin(log),
				signer: await ledger.signer(),
				digest,
			}),
		);
		await tree.save();
		session.result(proof, () =>
			[
				pairs([
					["call", call],
					[
						"event",
						`${resolved.position} (${resolved.type}, ${timeText(resolved.time)} UTC)`,
					],
					["hash", resolved.hash],
					[
						"log",
						`${counted(proof.size, "event")}, proved by ${counted(proof.path.length, "hash").replace(/hashs$/, "hashes")}`,
					],
					["signed by", proof.key],
				]),
				harmless(proof.event),
				"To hand the proof to somebody: dos audit prove --json, and they run: dos audit check",
			].join("\n\n"),
		);
	});
}

/** Checks a proof from anybody; needs no home. Exit code 1 when it does not hold. */
export async function check(
	session: Session,
	file: string,
	options: { readonly trust: readonly string[] },
): Promise<void> {
	const trusted = trustedKeys(options.trust);
	let bundle: unknown;
	try {
		bundle = JSON.parse(readText(file));
	} catch (cause) {
		if (cause instanceof Fault) throw cause;
		orRefused(
			refuse("proof/malformed", `${file} is no proof: it is not JSON.`),
		);
	}
	const { event, checkpoint } = orRefused(
		checkProof(bundle, { keys: trusted, ...signatureChecks() }),
	);
	const { data } = readEvent(event);
	session.result(
		{
			holds: true,
			log: checkpoint.origin,
			size: checkpoint.size,
			position: event.position,
			type: event.type,
			time: event.time,
			data,
		},
		() =>
			[
				session.style.green("The proof holds."),
				pairs([
					["log", `${checkpoint.origin}, ${counted(checkpoint.size, "event")}`],
					[
						"event",
						`${event.position} (${harmless(event.type)}, ${timeText(event.time)} UTC)`,
					],
				]),
				harmless(JSON.stringify(data)),
			].join("\n\n"),
	);
}

/** A checkpoint that the owner kept: one that is none says nothing about the log. */
function readGivenCheckpoint(file: string): string {
	const note = readText(file);
	if (parseNote(note)) return note;
	throw new Fault(
		"file/no-checkpoint",
		`${file} is no signed checkpoint. Give a file as dos audit checkpoint prints it.`,
	);
}

function readText(file: string): string {
	try {
		return readFileSync(file === "-" ? 0 : file, "utf8");
	} catch (cause) {
		throw new Fault(
			"file/unreadable",
			`${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
			{ cause },
		);
	}
}

function auditText(audit: Audit, { style }: Session): string {
	const seen = [
		`${counted(audit.events, "event")} in ${counted(audit.streams, "stream")}`,
		audit.checkpoints === 0
			? audit.findings.some(({ code }) => code.startsWith("audit/checkpoint-"))
				? "no checkpoint held"
				: "no checkpoint to compare with"
			: `${counted(audit.checkpoints, "checkpoint")} held`,
	].join(", ");
	if (audit.ok)
		return [
			`${style.green("The log is whole:")} ${seen}.`,
			`root ${audit.root}`,
			...(audit.checkpoints === 0
				? ["To have one to compare with the next time: dos audit checkpoint"]
				: []),
		].join("\n");
	const findings = audit.findings.map(
		({ code, message }) => `  ${style.red(code)}  ${harmless(message)}`,
	);
	if (audit.unlisted > 0)
		findings.push(`  … and ${audit.unlisted.toLocaleString("en")} more`);
	if (audit.findings.every(({ code }) => code === "audit/checkpoint-refused")) {
		return [
			`${style.red("The log fits itself, but not what it is compared with:")} ${seen}.`,
			...findings,
			"",
			"Where another key of yours signed the checkpoint, name that key: --trust <key>.",
			"Where it is of another log, this one was put in the place of that one.",
		].join("\n");
	}
	return [
		`${style.red("The log is not what it was:")} ${seen}.`,
		...findings,
		"",
		"Stop the server, keep this database as it is, and go back to your last export:",
		"dos import <export> --home <new folder>",
	].join("\n");
}
