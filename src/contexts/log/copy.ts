import { toBase64 } from "../../kernel/bytes.ts";
import type { StoredEvent } from "../../kernel/event.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import { openChain } from "./chain.ts";
import { type Audit, type VerifyOptions, verifyLog } from "./verify.ts";

export interface CopyOptions {
	readonly from: EventLog;
	/** Empty, or what an earlier copy of the same log left: then only what is missing is copied. */
	readonly to: EventLog;
	readonly digest: Digest;
	/** Checkpoints that were signed over the log, to be compared with the copy. */
	readonly checkpoints?: VerifyOptions["checkpoints"];
	readonly onCopied?: (done: number, of: number) => void;
	readonly onVerified?: (done: number, of: number) => void;
}

export interface Copied {
	/** Events that this run copied. */
	readonly copied: number;
	/** Events in the copy. */
	readonly size: number;
	/** Hash of the newest. */
	readonly hash: string;
	/** Merkle root of both, base64. */
	readonly root: string;
	/** Of the copy, every byte of it hashed anew. */
	readonly audit: Audit;
	/** Events that others appended to the source after the copy had all: whoever writes there must stop first. */
	readonly moved: number;
}

/**
 * Copies a log into another storage, event by event, with positions and hashes kept.
 *
 * What was copied is durable batch by batch: when it is killed, the next run goes on from there. While others
 * write to the source it follows them, and takes the last events under the source's head, so that for a moment both
 * logs are the same and nothing can come between. Then the copy is read back and verified, and compared with the
 * source's root.
 *
 * Rejects with `copy/other-log` (the target holds something else), `copy/target-ahead` (the target went on by
 * itself), `copy/target-moved` (another writes there now), `copy/source-too-busy` (it grows as quickly as it is
 * copied), `copy/not-the-same` (the target gives back something else), or with one of the logs' own faults.
 */
export async function copyLog(options: CopyOptions): Promise<Copied> {
	const { from, to, digest, onCopied } = options;
	const began = await commonTip(from, to);
	const chain = await openChain(from, began, digest);
	const copied = () => chain.tip().position - began;

	async function carry(batch: readonly StoredEvent[]): Promise<void> {
		const due = chain.tip();
		for (const event of batch) chain.take(event);
		await to.write(async (head) => {
			if (head.tip.hash !== due.hash)
				throw new Fault(
					"copy/target-moved",
					"Another writes to the target while it is copied to. Stop that, and copy into an empty place.",
				);
			await head.append(batch);
		});
	}

	for (let round = 1; ; round++) {
		const { position: end } = await from.tip();
		if (end - chain.tip().position > lastStep) {
			if (round > mostRounds)
				throw new Fault(
					"copy/source-too-busy",
					`The source grows as quickly as it is copied: ${end - chain.tip().position} events are left. Stop what writes to it, and run it again: it goes on from here.`,
				);
			for await (const batch of from.read(chain.tip().position, { to: end })) {
				await carry(batch);
				onCopied?.(chain.tip().position, end);
			}
			if (chain.tip().position < end) throw chain.damaged();
		}
		const done = await from.write(async (head) => {
			// Others wait for as long as this takes.
			if (head.tip.position - chain.tip().position > 2 * lastStep) return false;
			const rest = await head.after(chain.tip().position);
			if (rest.length > 0) await carry(rest);
			if (chain.tip().hash !== head.tip.hash) throw chain.damaged();
			return true;
		});
		if (done) break;
	}

	const { position: size, hash } = chain.tip();
	const root = toBase64(chain.root());
	const audit = await verifyLog({
		log: to,
		digest,
		...(options.checkpoints && { checkpoints: options.checkpoints }),
		...(options.onVerified && { onProgress: options.onVerified }),
	});
	const tip = await to.tip();
	if (tip.hash !== hash || (audit.ok && audit.root !== root))
		throw new Fault(
			"copy/not-the-same",
			"The copy does not have the root of the source: another wrote to it, or what it stored is not what it was given. Do not use it.",
		);
	const { position: now } = await from.tip();
	return { copied: copied(), size, hash, root, audit, moved: now - size };
}

/** Events that may be left for the step under the source's head. */
const lastStep = 1_000;
const mostRounds = 20;

/** How far the target is the source's copy already. */
async function commonTip(from: EventLog, to: EventLog): Promise<number> {
	const [source, target] = [await from.tip(), await to.tip()];
	const { position } = target;
	if (position === 0) return 0;
	const [common, other, here] =
		position <= source.position
			? [position, from, target]
			: [source.position, to, source];
	const [hash] = await other.hashes(common, common);
	if (common === 0 || hash !== here.hash)
		throw new Fault(
			"copy/other-log",
			"The target holds another log. Name an empty place.",
		);
	if (position > source.position)
		throw new Fault(
			"copy/target-ahead",
			`The target holds this log and ${position - source.position} events more: it went on by itself. Name an empty place, or copy the other way.`,
		);
	return position;
}
