import { fromHex, toHex } from "../../kernel/bytes.ts";
import {
	type CompactRange,
	compactRange,
	consistencyProof,
	type Hash,
	inclusionProof,
	type NodeSource,
	rootOf,
} from "../../kernel/merkle.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { DerivedStore } from "../../ports/derived-store.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";

/**
 * The Merkle tree over the log: derived state, which the log gives back when it is deleted.
 *
 * Kept are the roots of the complete subtrees of 256 events (a *tile*) and whatever stands above them;
 * below, a proof reads at most two tiles of hashes from the log. It takes the log's hashes as they are
 * stored: that they are those of the events is for `verifyLog` to find out.
 */
export interface LogTree {
	/** Events taken in so far. */
	size(): number;
	/** Takes in every event that was committed before the call. Faults: `log/damaged`. */
	catchUp(): Promise<void>;
	/** Of the first `size` events; of all taken in, unless told otherwise. */
	root(size?: number): Promise<Hash>;
	/** Proves that the event at `position` is one of the first `size`. */
	inclusionProof(position: number, size?: number): Promise<readonly Hash[]>;
	/** Proves that the first `size` events begin with the first `earlier`. */
	consistencyProof(earlier: number, size?: number): Promise<readonly Hash[]>;
	/** Saves what is complete for the next start: cheap, as only what is new is written. */
	save(): Promise<void>;
}

export interface TreeOptions {
	readonly log: EventLog;
	readonly digest: Digest;
	readonly derived?: DerivedStore;
}

/** The tree as of now, from what was saved and what was recorded since. */
export async function openTree({
	log,
	digest,
	derived,
}: TreeOptions): Promise<LogTree> {
	const sha256 = digest.bytes;
	/** By level above the tiles' roots, which are `levels[0]`. */
	let levels: Hash[][] = [[]];
	let range: CompactRange = compactRange(sha256);
	let savedTiles = 0;
	let turn: Promise<void> = Promise.resolve();

	function keep(level: number, index: number, hash: Hash): void {
		if (level < tileLevel) return;
		const hashes = levels[level - tileLevel] ?? [];
		levels[level - tileLevel] = hashes;
		hashes[index] = hash;
	}

	const kept = (level: number, index: number): Hash =>
		levels[level - tileLevel]?.[index] as Hash;

	async function takeIn(): Promise<void> {
		const { position: end } = await log.tip();
		while (range.size() < end) {
			const from = range.size() + 1;
			const to = Math.min(end, range.size() + hashesAtOnce);
			for (const leaf of await readLeaves(log, from, to))
				range.append(leaf, keep);
		}
	}

	async function restore(store: DerivedStore): Promise<void> {
		const head = await store.load(headName);
		if (
			head?.format !== format ||
			(await log.at(head.position))?.hash !== head.hash
		)
			return;
		const tiles = head.position / tileSize;
		const roots: Hash[] = [];
		for (let part = 0; part * partSize < tiles; part++) {
			roots.push(
				...readPart((await store.load(partName(part)))?.body ?? "").slice(
					0,
					tiles - part * partSize,
				),
			);
		}
		const restored = compactRange(sha256);
		const above: Hash[][] = [];
		for (const root of roots) {
			restored.append(root, (level, index, hash) => {
				above[level] ??= [];
				(above[level] as Hash[])[index] = hash;
			});
		}
		// Parts and head are saved one after the other: only together they are believed.
		if (roots.length !== tiles || toHex(restored.root()) !== head.body) return;
		levels = above;
		range = compactRange(sha256, {
			size: head.position,
			nodes: restored.nodes(),
		});
		savedTiles = tiles;
	}

	/** The nodes that one proof needs; each tile is read once. */
	function nodes(): NodeSource {
		const tiles = new Map<number, Promise<readonly Hash[]>>();
		return async (level, index) => {
			if (level >= tileLevel) return kept(level, index);
			const first = index * 2 ** level;
			const tile = Math.floor(first / tileSize);
			const from = tile * tileSize;
			let leaves = tiles.get(tile);
			if (!leaves) {
				leaves = readLeaves(
					log,
					from + 1,
					Math.min(from + tileSize, range.size()),
				);
				tiles.set(tile, leaves);
			}
			const subtree = compactRange(sha256);
			for (const leaf of (await leaves).slice(
				first - from,
				first - from + 2 ** level,
			))
				subtree.append(leaf);
			return subtree.root();
		};
	}

	function within(size: number): number {
		if (Number.isSafeInteger(size) && size >= 0 && size <= range.size())
			return size;
		throw new RangeError(
			`The tree has ${range.size()} events, not ${size}. Catch up first.`,
		);
	}

	if (derived) await restore(derived);
	await takeIn();

	return {
		size: () => range.size(),
		catchUp() {
			turn = turn.then(takeIn, takeIn);
			return turn;
		},
		async root(size = range.size()) {
			return size === range.size()
				? range.root()
				: rootOf(within(size), nodes(), sha256);
		},
		async inclusionProof(position, size = range.size()) {
			return inclusionProof(position - 1, within(size), nodes(), sha256);
		},
		async consistencyProof(earlier, size = range.size()) {
			return consistencyProof(earlier, within(size), nodes(), sha256);
		},
		async save() {
			const roots = levels[0] as Hash[];
			const tiles = roots.length;
			if (!derived || tiles === savedTiles) return;
			const complete = compactRange(sha256);
			for (const root of roots) complete.append(root);
			const position = tiles * tileSize;
			const hash = (await log.hashes(position, position))[0] ?? "";
			for (
				let part = Math.floor(savedTiles / partSize);
				part * partSize < tiles;
				part++
			) {
				const body = roots
					.slice(part * partSize, Math.min((part + 1) * partSize, tiles))
					.map(toHex)
					.join("");
				await derived.save(partName(part), { format, position, hash, body });
			}
			await derived.save(headName, {
				format,
				position,
				hash,
				body: toHex(complete.root()),
			});
			savedTiles = tiles;
		},
	};
}

const format = 1;
const tileLevel = 8;
const tileSize = 2 ** tileLevel;
/** Tiles in one saved part. */
const partSize = 256;
export const hashesAtOnce = 8_192;
const headName = "tree";
const partName = (part: number): string => `tree/${part}`;

export async function readLeaves(
	log: EventLog,
	from: number,
	to: number,
): Promise<readonly Hash[]> {
	const hashes = await log.hashes(from, to);
	const leaves = hashes.map(fromHex);
	if (
		hashes.length !== to - from + 1 ||
		!leaves.every((leaf) => leaf?.length === 32)
	) {
		throw new Fault(
			"log/damaged",
			`The log does not have a hash for each event from ${from} to ${to}. Verify it to see what is wrong.`,
		);
	}
	return leaves as Hash[];
}

function readPart(body: string): Hash[] {
	const bytes = fromHex(body) ?? new Uint8Array();
	return Array.from({ length: Math.floor(bytes.length / 32) }, (_, at) =>
		bytes.slice(at * 32, at * 32 + 32),
	);
}
