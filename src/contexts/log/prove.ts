import { fromBase64, fromHex, toBase64 } from "../../kernel/bytes.ts";
import {
	canonicalLine,
	parseLine,
	type StoredEvent,
} from "../../kernel/event.ts";
import { type Hash, verifyInclusion } from "../../kernel/merkle.ts";
import { accept, Fault, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { Signer } from "../../ports/signer.ts";
import {
	openCheckpoint,
	type SignedCheckpoint,
	signCheckpoint,
	signerKey,
	type Trust,
} from "./checkpoint.ts";
import type { LogTree } from "./tree.ts";

/**
 * Proves to a stranger that an event stands in the log. All they need beside it is the verifier key, from a
 * source they trust; `docs/log-format.md` says how to check one with any library for RFC 6962.
 */
export interface ProofBundle {
	readonly format: "duranteos-proof";
	readonly version: 1;
	/** The event's canonical line: the leaf's bytes. */
	readonly event: string;
	/** Of the leaf, from 0: the event's position less one. */
	readonly index: number;
	/** Leaves of the tree: as the checkpoint says. */
	readonly size: number;
	/** Base64 hashes from the leaf's sibling up to the root's child. */
	readonly path: readonly string[];
	/** The signed note. */
	readonly checkpoint: string;
	/** Who signed it. Believe the key only if it is known from elsewhere. */
	readonly key: string;
}

export interface ProveOptions {
	readonly log: EventLog;
	readonly tree: LogTree;
	/** The log's id. */
	readonly origin: string;
	readonly signer: Signer;
	readonly digest: Digest;
}

/**
 * The proof of one event, under a checkpoint of the log as it is now. Refusal: `proof/no-such-event`.
 * Rejects with `log/damaged` rather than prove what would not be believed.
 */
export async function proveEvent(
	position: number,
	options: ProveOptions,
): Promise<Outcome<ProofBundle>> {
	const { log, tree, origin, signer, digest } = options;
	const event = await log.at(position);
	if (!event)
		return refuse(
			"proof/no-such-event",
			`The log has no event at position ${position}.`,
		);
	if (tree.size() < position) await tree.catchUp();
	const size = tree.size();
	const root = await tree.root(size);
	const path = await tree.inclusionProof(position, size);
	const bundle: ProofBundle = {
		format: "duranteos-proof",
		version: 1,
		event: canonicalLine(event),
		index: position - 1,
		size,
		path: path.map(toBase64),
		checkpoint: signCheckpoint({ origin, size, root }, signer, digest),
		key: signerKey(signer, digest),
	};
	const checked = checkProof(bundle, {
		keys: [bundle.key],
		verify: signer.verify,
		digest,
	});
	if (!checked.ok) {
		throw new Fault(
			"log/damaged",
			`Event ${position} cannot be proved: the log was changed. Verify it to see where.`,
		);
	}
	return accept(bundle);
}

/** What a proof proves: that this event stands in the log of this checkpoint. */
export interface Proved {
	readonly event: StoredEvent;
	readonly checkpoint: SignedCheckpoint;
}

/**
 * Checks a proof that may come from anybody, against the keys that are trusted: the bundle's own key says
 * nothing by itself.
 *
 * Refusals: `proof/malformed`, `proof/not-included`, and those of `openCheckpoint`.
 */
export function checkProof(bundle: unknown, trust: Trust): Outcome<Proved> {
	const proof = readBundle(bundle);
	if (!proof)
		return refuse(
			"proof/malformed",
			"This is no proof of an event in the format that is known here.",
		);
	const event = parseLine(proof.event, (text) => trust.digest.text(text));
	const path = proof.path.map(fromBase64);
	if (
		!event ||
		event.position !== proof.index + 1 ||
		path.includes(undefined)
	) {
		return refuse(
			"proof/malformed",
			"The proof's event, index or path cannot be read, or they contradict each other.",
		);
	}
	const opened = openCheckpoint(proof.checkpoint, trust);
	if (!opened.ok) return opened;
	const { size, root } = opened.value;
	if (size !== proof.size)
		return refuse(
			"proof/malformed",
			"The proof is for a tree of another size than its checkpoint.",
		);
	const leaf = fromHex(event.hash) as Hash;
	if (
		!verifyInclusion(
			{ index: proof.index, size, leaf, path: path as Hash[], root },
			trust.digest.bytes,
		)
	) {
		return refuse(
			"proof/not-included",
			`The checkpoint's log does not have this event at position ${event.position}.`,
		);
	}
	return accept({ event, checkpoint: opened.value });
}

function readBundle(bundle: unknown): ProofBundle | undefined {
	if (typeof bundle !== "object" || bundle === null) return undefined;
	const { format, version, event, index, size, path, checkpoint } =
		bundle as Partial<Record<keyof ProofBundle, unknown>>;
	const known = format === "duranteos-proof" && version === 1;
	const texts = typeof event === "string" && typeof checkpoint === "string";
	const counts = Number.isSafeInteger(index) && Number.isSafeInteger(size);
	const hashes =
		Array.isArray(path) && path.every((hash) => typeof hash === "string");
	return known && texts && counts && hashes
		? (bundle as ProofBundle)
		: undefined;
}
