/**
 * The Merkle tree of RFC 6962, section 2.1 (the same in RFC 9162), over leaf hashes: an event's
 * `hash` is its leaf hash already (see `event.ts`), so the leaf with index i is the event at position
 * i + 1. Inner nodes are `SHA-256(0x01 ‖ left ‖ right)`; the root of no leaves is SHA-256 of nothing.
 *
 * A *node* (level, index) is the root of the complete subtree over the leaves from index · 2^level up
 * to, not including, (index + 1) · 2^level; level 0 are the leaves. Complete subtrees never change as
 * the log grows, so they can be kept; everything else is computed from at most log2(n) of them.
 */
import { equalBytes } from "./bytes.ts";

export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** 32 bytes. */
export type Hash = Uint8Array;

/** Gives the hash of a complete subtree. It is asked only for nodes that the tree in question has. */
export type NodeSource = (level: number, index: number) => Hash | Promise<Hash>;

/** Joins two subtrees into the hash of the node above them. */
export function nodeHasher(sha256: Sha256): (left: Hash, right: Hash) => Hash {
	const bytes = new Uint8Array(65);
	bytes[0] = 1;
	return (left, right) => {
		bytes.set(left, 1);
		bytes.set(right, 33);
		return sha256(bytes);
	};
}

/** A growing tree of which only the log2(n) roots of its largest complete subtrees are kept. */
export interface CompactRange {
	size(): number;
	/** Adds a leaf. `onNode` hears of every subtree that is complete now, the leaf first. */
	append(
		leaf: Hash,
		onNode?: (level: number, index: number, hash: Hash) => void,
	): void;
	root(): Hash;
	/** The kept roots, largest subtree first: with the size, all it takes to go on later. */
	nodes(): readonly Hash[];
}

/** An empty range, or one that goes on from the `size` and `nodes` of another. */
export function compactRange(
	sha256: Sha256,
	from: { readonly size: number; readonly nodes: readonly Hash[] } = {
		size: 0,
		nodes: [],
	},
): CompactRange {
	const join = nodeHasher(sha256);
	const nodes = [...from.nodes];
	let size = from.size;
	if (nodes.length !== completeSubtrees(0, size).length) {
		throw new RangeError(
			`${nodes.length} nodes are not those of a tree of ${size} leaves.`,
		);
	}
	return {
		size: () => size,
		append(leaf, onNode) {
			let hash = leaf;
			let index = size;
			let level = 0;
			onNode?.(level, index, hash);
			while (index % 2 === 1) {
				hash = join(nodes.pop() as Hash, hash);
				index = (index - 1) / 2;
				level += 1;
				onNode?.(level, index, hash);
			}
			nodes.push(hash);
			size += 1;
		},
		root: () => joinAll(nodes, sha256),
		nodes: () => [...nodes],
	};
}

/** The root of the first `size` leaves, from at most log2(size) nodes. */
export function rootOf(
	size: number,
	node: NodeSource,
	sha256: Sha256,
): Promise<Hash> {
	return subtreeHash([0, size], node, sha256);
}

/** The audit path of a leaf in the tree of the first `size` leaves (RFC 6962, section 2.1.1). */
export function inclusionProof(
	index: number,
	size: number,
	node: NodeSource,
	sha256: Sha256,
): Promise<readonly Hash[]> {
	if (!(isCount(index) && isCount(size) && index < size)) {
		throw new RangeError(
			`A tree of ${size} leaves has no leaf with index ${index}.`,
		);
	}
	return hashAll(inclusionRanges(index, 0, size), node, sha256);
}

/** Proves that the tree of `size` leaves begins with the tree of `earlier` leaves (RFC 6962, section 2.1.2). */
export function consistencyProof(
	earlier: number,
	size: number,
	node: NodeSource,
	sha256: Sha256,
): Promise<readonly Hash[]> {
	if (!(isCount(earlier) && isCount(size) && earlier <= size)) {
		throw new RangeError(
			`A tree of ${size} leaves cannot begin with one of ${earlier}.`,
		);
	}
	return hashAll(
		earlier === 0 ? [] : consistencyRanges(earlier, 0, size, true),
		node,
		sha256,
	);
}

/** Whether `path` proves that `leaf` has this index in the tree of this size and root (RFC 9162, section 2.1.3.2). */
export function verifyInclusion(
	proof: {
		readonly index: number;
		readonly size: number;
		readonly leaf: Hash;
		readonly path: readonly Hash[];
		readonly root: Hash;
	},
	sha256: Sha256,
): boolean {
	const { index, size, leaf, path, root } = proof;
	if (!(isCount(index) && isCount(size) && index < size)) return false;
	if (![leaf, ...path].every(isHash)) return false;
	const join = nodeHasher(sha256);
	let place = index;
	let last = size - 1;
	let hash = leaf;
	for (const step of path) {
		if (last === 0) return false;
		if (place % 2 === 1 || place === last) {
			hash = join(step, hash);
			while (place % 2 === 0 && place !== 0)
				[place, last] = [half(place), half(last)];
		} else {
			hash = join(hash, step);
		}
		[place, last] = [half(place), half(last)];
	}
	return last === 0 && equalBytes(hash, root);
}

/** Whether `path` proves that the later tree begins with the earlier one (RFC 9162, section 2.1.4.2). */
export function verifyConsistency(
	proof: {
		readonly earlier: { readonly size: number; readonly root: Hash };
		readonly later: { readonly size: number; readonly root: Hash };
		readonly path: readonly Hash[];
	},
	sha256: Sha256,
): boolean {
	const { earlier, later, path } = proof;
	if (
		!(
			isCount(earlier.size) &&
			isCount(later.size) &&
			earlier.size <= later.size
		)
	)
		return false;
	if (earlier.size === later.size)
		return path.length === 0 && equalBytes(earlier.root, later.root);
	if (earlier.size === 0)
		return (
			path.length === 0 && equalBytes(earlier.root, sha256(new Uint8Array()))
		);
	if (![earlier.root, ...path].every(isHash)) return false;
	const join = nodeHasher(sha256);
	let place = earlier.size - 1;
	let last = later.size - 1;
	while (place % 2 === 1) [place, last] = [half(place), half(last)];
	// An earlier tree that is one complete subtree is its own first step, and is not sent.
	const [first, ...steps] = place === 0 ? [earlier.root, ...path] : path;
	if (!first) return false;
	let hashEarlier = first;
	let hashLater = first;
	for (const step of steps) {
		if (last === 0) return false;
		if (place % 2 === 1 || place === last) {
			hashEarlier = join(step, hashEarlier);
			hashLater = join(step, hashLater);
			while (place % 2 === 0 && place !== 0)
				[place, last] = [half(place), half(last)];
		} else {
			hashLater = join(hashLater, step);
		}
		[place, last] = [half(place), half(last)];
	}
	return (
		last === 0 &&
		equalBytes(hashEarlier, earlier.root) &&
		equalBytes(hashLater, later.root)
	);
}

/** Leaves from the first index up to, not including, the second. */
type Range = readonly [from: number, to: number];

/** PATH of RFC 6962: the sibling subtrees from the leaf up to the root. */
function inclusionRanges(index: number, from: number, to: number): Range[] {
	if (to - from === 1) return [];
	const middle = from + split(to - from);
	return index < middle
		? [...inclusionRanges(index, from, middle), [middle, to]]
		: [...inclusionRanges(index, middle, to), [from, middle]];
}

/** SUBPROOF of RFC 6962; `known` says that the verifier has the hash of the earlier part of this very subtree. */
function consistencyRanges(
	earlier: number,
	from: number,
	to: number,
	known: boolean,
): Range[] {
	if (earlier === to) return known ? [] : [[from, to]];
	const middle = from + split(to - from);
	return earlier <= middle
		? [...consistencyRanges(earlier, from, middle, known), [middle, to]]
		: [...consistencyRanges(earlier, middle, to, false), [from, middle]];
}

/** The largest power of two smaller than `count`. */
function split(count: number): number {
	let power = 1;
	while (power * 2 < count) power *= 2;
	return power;
}

/** The complete subtrees that make up a range, from left to right. */
function completeSubtrees(
	from: number,
	to: number,
): { readonly level: number; readonly index: number }[] {
	const nodes: { level: number; index: number }[] = [];
	let at = from;
	while (at < to) {
		let level = 0;
		let width = 1;
		while (at % (width * 2) === 0 && at + width * 2 <= to) {
			level += 1;
			width *= 2;
		}
		nodes.push({ level, index: at / width });
		at += width;
	}
	return nodes;
}

async function subtreeHash(
	[from, to]: Range,
	node: NodeSource,
	sha256: Sha256,
): Promise<Hash> {
	const hashes: Hash[] = [];
	for (const { level, index } of completeSubtrees(from, to))
		hashes.push(await node(level, index));
	return joinAll(hashes, sha256);
}

async function hashAll(
	ranges: readonly Range[],
	node: NodeSource,
	sha256: Sha256,
): Promise<readonly Hash[]> {
	const hashes: Hash[] = [];
	for (const range of ranges)
		hashes.push(await subtreeHash(range, node, sha256));
	return hashes;
}

/** The root above complete subtrees that shrink from left to right. */
function joinAll(hashes: readonly Hash[], sha256: Sha256): Hash {
	const join = nodeHasher(sha256);
	const root = hashes.reduceRight<Hash | undefined>(
		(right, left) => (right ? join(left, right) : left),
		undefined,
	);
	return root ?? sha256(new Uint8Array());
}

const half = (count: number): number => Math.floor(count / 2);
const isCount = (value: number): boolean =>
	Number.isSafeInteger(value) && value >= 0;
const isHash = (hash: Hash): boolean => hash.length === 32;
