import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "./bytes.ts";
import {
	compactRange,
	consistencyProof,
	type Hash,
	inclusionProof,
	nodeHasher,
	rootOf,
	verifyConsistency,
	verifyInclusion,
} from "./merkle.ts";

const sha256 = (bytes: Uint8Array): Hash =>
	new Uint8Array(createHash("sha256").update(bytes).digest());
const leafHash = (hex: string) => sha256(Buffer.from(`00${hex}`, "hex"));
const hash = (hex: string) => fromHex(hex) as Hash;

/** The leaves, roots and proofs that the reference tests of certificate transparency publish. */
const published = {
	leaves: [
		"",
		"00",
		"10",
		"2021",
		"3031",
		"40414243",
		"5051525354555657",
		"606162636465666768696a6b6c6d6e6f",
	].map(leafHash),
	roots: [
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	],
	inclusion: [
		{ index: 0, size: 1, path: [] },
		{
			index: 0,
			size: 8,
			path: [
				"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
				"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
				"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
			],
		},
		{
			index: 5,
			size: 8,
			path: [
				"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
				"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
				"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
			],
		},
		{
			index: 2,
			size: 3,
			path: [
				"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
			],
		},
		{
			index: 1,
			size: 5,
			path: [
				"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
				"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
				"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			],
		},
	],
	consistency: [
		{ earlier: 1, size: 1, path: [] },
		{
			earlier: 1,
			size: 8,
			path: [
				"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
				"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
				"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
			],
		},
		{
			earlier: 6,
			size: 8,
			path: [
				"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
				"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
				"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
			],
		},
		{
			earlier: 2,
			size: 5,
			path: [
				"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
				"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			],
		},
		{
			earlier: 6,
			size: 7,
			path: [
				"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
				"b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
				"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
			],
		},
	],
};

/** The definitions of RFC 6962, sections 2.1 to 2.1.2, word for word and slow. */
const naive = {
	split: (count: number): number => 2 ** (Math.ceil(Math.log2(count)) - 1),
	root(leaves: readonly Hash[]): Hash {
		if (leaves.length === 0) return sha256(new Uint8Array());
		if (leaves.length === 1) return leaves[0] as Hash;
		const at = naive.split(leaves.length);
		return nodeHasher(sha256)(
			naive.root(leaves.slice(0, at)),
			naive.root(leaves.slice(at)),
		);
	},
	path(index: number, leaves: readonly Hash[]): Hash[] {
		if (leaves.length === 1) return [];
		const at = naive.split(leaves.length);
		return index < at
			? [
					...naive.path(index, leaves.slice(0, at)),
					naive.root(leaves.slice(at)),
				]
			: [
					...naive.path(index - at, leaves.slice(at)),
					naive.root(leaves.slice(0, at)),
				];
	},
	proof: (earlier: number, leaves: readonly Hash[]): Hash[] =>
		naive.subproof(earlier, leaves, true),
	subproof(earlier: number, leaves: readonly Hash[], known: boolean): Hash[] {
		if (earlier === leaves.length) return known ? [] : [naive.root(leaves)];
		const at = naive.split(leaves.length);
		return earlier <= at
			? [
					...naive.subproof(earlier, leaves.slice(0, at), known),
					naive.root(leaves.slice(at)),
				]
			: [
					...naive.subproof(earlier - at, leaves.slice(at), false),
					naive.root(leaves.slice(0, at)),
				];
	},
};

const numbered = (count: number): Hash[] =>
	Array.from({ length: count }, (_, at) =>
		leafHash(at.toString(16).padStart(8, "0")),
	);

/** A tree whose complete subtrees are remembered, and how many of them were asked for. */
function grow(leaves: readonly Hash[]) {
	const nodes = new Map<string, Hash>();
	const range = compactRange(sha256);
	for (const leaf of leaves)
		range.append(leaf, (level, index, node) =>
			nodes.set(`${level}/${index}`, node),
		);
	let asked = 0;
	return {
		range,
		asked: () => asked,
		node(level: number, index: number): Hash {
			asked += 1;
			const found = nodes.get(`${level}/${index}`);
			if (!found)
				throw new Error(`There is no complete subtree ${level}/${index}.`);
			return found;
		},
	};
}

function flipped(some: Hash): Hash {
	const copy = some.slice();
	copy[7] = (copy[7] as number) ^ 1;
	return copy;
}

describe("the published vectors", () => {
	it("has the published roots", () => {
		const range = compactRange(sha256);
		expect(toHex(range.root())).toBe(published.roots[0]);
		published.leaves.forEach((leaf, at) => {
			range.append(leaf);
			expect(toHex(range.root())).toBe(published.roots[at + 1]);
		});
		expect(range.size()).toBe(8);
	});

	it.each(published.inclusion)(
		"proves leaf $index of $size as published",
		async ({ index, size, path }) => {
			const { node } = grow(published.leaves.slice(0, size));
			expect(
				(await inclusionProof(index, size, node, sha256)).map(toHex),
			).toEqual(path);
			const leaf = published.leaves[index] as Hash;
			const root = hash(published.roots[size] as string);
			expect(
				verifyInclusion(
					{ index, size, leaf, path: path.map(hash), root },
					sha256,
				),
			).toBe(true);
		},
	);

	it.each(published.consistency)(
		"proves that $size goes on from $earlier as published",
		async ({ earlier, size, path }) => {
			const { node } = grow(published.leaves.slice(0, size));
			expect(
				(await consistencyProof(earlier, size, node, sha256)).map(toHex),
			).toEqual(path);
			const proof = {
				earlier: {
					size: earlier,
					root: hash(published.roots[earlier] as string),
				},
				later: { size, root: hash(published.roots[size] as string) },
				path: path.map(hash),
			};
			expect(verifyConsistency(proof, sha256)).toBe(true);
		},
	);
});

const sizes = fc.integer({ min: 1, max: 70 });

describe("the tree against its definition", () => {
	it("has the same root at every size, whether grown or computed from kept nodes", async () => {
		const leaves = numbered(70);
		const { node } = grow(leaves);
		const range = compactRange(sha256);
		for (let size = 0; size <= 70; size++) {
			const expected = toHex(naive.root(leaves.slice(0, size)));
			expect(toHex(await rootOf(size, node, sha256))).toBe(expected);
			expect(toHex(range.root())).toBe(expected);
			if (size < 70) range.append(leaves[size] as Hash);
		}
	});

	it("gives the defined audit path, which proves that leaf there and nothing else", async () => {
		await fc.assert(
			fc.asyncProperty(
				sizes,
				fc.nat(),
				fc.nat(),
				async (size, anyIndex, anyOther) => {
					const index = anyIndex % size;
					const leaves = numbered(size);
					const { node, asked } = grow(leaves);
					const path = await inclusionProof(index, size, node, sha256);
					expect(path.map(toHex)).toEqual(naive.path(index, leaves).map(toHex));
					expect(asked()).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(size)));

					const proof = {
						index,
						size,
						leaf: leaves[index] as Hash,
						path,
						root: naive.root(leaves),
					};
					const holds = (change: Partial<typeof proof>) =>
						verifyInclusion({ ...proof, ...change }, sha256);
					expect(holds({})).toBe(true);
					const other = anyOther % (size + 2);
					expect(holds({ index: other })).toBe(other === index);
					expect(holds({ leaf: flipped(proof.leaf) })).toBe(false);
					expect(holds({ leaf: proof.leaf.slice(1) })).toBe(false);
					expect(holds({ root: flipped(proof.root) })).toBe(false);
					expect(holds({ path: [...path, proof.root] })).toBe(false);
					expect(holds({ path: [proof.root, ...path] })).toBe(false);
					if (path.length > 0) {
						const at = anyOther % path.length;
						expect(holds({ path: path.slice(1) })).toBe(false);
						expect(holds({ path: path.slice(0, -1) })).toBe(false);
						expect(
							holds({ path: path.with(at, flipped(path[at] as Hash)) }),
						).toBe(false);
						expect(
							holds({ path: path.with(at, (path[at] as Hash).slice(1)) }),
						).toBe(false);
					}
				},
			),
		);
	});

	it("gives the defined consistency proof, which proves that beginning and no other", async () => {
		await fc.assert(
			fc.asyncProperty(
				sizes,
				fc.nat(),
				fc.nat(),
				async (size, anyEarlier, any) => {
					const earlier = 1 + (anyEarlier % size);
					const leaves = numbered(size);
					const { node } = grow(leaves);
					const path = await consistencyProof(earlier, size, node, sha256);
					expect(path.map(toHex)).toEqual(
						naive.proof(earlier, leaves).map(toHex),
					);

					const proof = {
						earlier: {
							size: earlier,
							root: naive.root(leaves.slice(0, earlier)),
						},
						later: { size, root: naive.root(leaves) },
						path,
					};
					const holds = (change: Partial<typeof proof>) =>
						verifyConsistency({ ...proof, ...change }, sha256);
					expect(holds({})).toBe(true);
					expect(
						holds({
							earlier: { size: earlier, root: flipped(proof.earlier.root) },
						}),
					).toBe(false);
					expect(
						holds({ later: { size, root: flipped(proof.later.root) } }),
					).toBe(false);
					expect(holds({ path: [...path, proof.later.root] })).toBe(false);
					if (path.length > 0) {
						const at = any % path.length;
						expect(holds({ path: path.slice(1) })).toBe(false);
						expect(holds({ path: path.slice(0, -1) })).toBe(false);
						expect(
							holds({ path: path.with(at, flipped(path[at] as Hash)) }),
						).toBe(false);
						expect(
							holds({ path: path.with(at, (path[at] as Hash).slice(1)) }),
						).toBe(false);
						expect(
							holds({ earlier: { ...proof.earlier, size: earlier + 1 } }),
						).toBe(false);
					}
				},
			),
		);
	});

	it("knows that every tree begins with the empty one", async () => {
		const { node, range } = grow(numbered(5));
		expect(await consistencyProof(0, 5, node, sha256)).toEqual([]);
		const later = { size: 5, root: range.root() };
		const empty = { size: 0, root: sha256(new Uint8Array()) };
		expect(verifyConsistency({ earlier: empty, later, path: [] }, sha256)).toBe(
			true,
		);
		expect(
			verifyConsistency(
				{ earlier: { size: 0, root: later.root }, later, path: [] },
				sha256,
			),
		).toBe(false);
		expect(
			verifyConsistency({ earlier: empty, later, path: [later.root] }, sha256),
		).toBe(false);
		expect(
			verifyConsistency({ earlier: later, later: empty, path: [] }, sha256),
		).toBe(false);
		expect(
			verifyConsistency(
				{ earlier: { ...later, size: 3 }, later, path: [] },
				sha256,
			),
		).toBe(false);
		expect(
			verifyConsistency(
				{ earlier: { ...later, size: 0.5 }, later, path: [] },
				sha256,
			),
		).toBe(false);
	});

	it("goes on from what another range kept", () => {
		fc.assert(
			fc.property(fc.nat(70), fc.nat(70), (before, after) => {
				const leaves = numbered(before + after);
				const first = grow(leaves.slice(0, before)).range;
				const second = compactRange(sha256, {
					size: first.size(),
					nodes: first.nodes(),
				});
				for (const leaf of leaves.slice(before)) second.append(leaf);
				expect(toHex(second.root())).toBe(toHex(naive.root(leaves)));
			}),
		);
		expect(() => compactRange(sha256, { size: 3, nodes: numbered(1) })).toThrow(
			RangeError,
		);
	});

	it.each([
		[1, 1],
		[-1, 4],
		[0.5, 4],
		[0, 0],
	])("has no leaf %d in a tree of %d", async (index, size) => {
		const { node } = grow(numbered(4));
		expect(() => inclusionProof(index, size, node, sha256)).toThrow(RangeError);
		const leaf = leafHash("");
		expect(
			verifyInclusion({ index, size, leaf, path: [], root: leaf }, sha256),
		).toBe(false);
	});

	it("does not begin with a larger tree", () => {
		const { node } = grow(numbered(4));
		expect(() => consistencyProof(5, 4, node, sha256)).toThrow(RangeError);
	});

	it("does not take a larger tree's root and proof for a smaller one's", async () => {
		const leaves = numbered(8);
		const { node } = grow(leaves);
		const [leaf] = leaves.slice(1) as [Hash];
		const path = leaves.slice(0, 1);
		const two = await rootOf(2, node, sha256);
		const proof = { leaf, path, root: two };
		expect(verifyInclusion({ ...proof, index: 1, size: 2 }, sha256)).toBe(true);
		expect(verifyInclusion({ ...proof, index: 0, size: 1 }, sha256)).toBe(
			false,
		);

		const steps = await consistencyProof(7, 8, node, sha256);
		const seven = await rootOf(7, node, sha256);
		const eight = await rootOf(8, node, sha256);
		const holds = (earlier: number, later: number) =>
			verifyConsistency(
				{
					earlier: { size: earlier, root: seven },
					later: { size: later, root: eight },
					path: steps,
				},
				sha256,
			);
		expect(holds(7, 8)).toBe(true);
		expect(holds(3, 4)).toBe(false);
	});

	it("computes with sizes beyond 32 bits", () => {
		// Every subtree of equal leaves is known by its level alone, so the tree need not be there.
		const join = nodeHasher(sha256);
		const levels = [leafHash("")];
		for (let level = 1; level < 53; level++)
			levels.push(join(levels[level - 1] as Hash, levels[level - 1] as Hash));
		const node = (level: number) => levels[level] as Hash;
		const size = 2 ** 40 + 3;
		return Promise.all([
			rootOf(size, node, sha256),
			inclusionProof(2 ** 33 + 1, size, node, sha256),
			consistencyProof(2 ** 33 + 1, size, node, sha256),
			rootOf(2 ** 33 + 1, node, sha256),
		]).then(([root, inclusion, consistency, earlier]) => {
			const leaf = levels[0] as Hash;
			expect(
				verifyInclusion(
					{ index: 2 ** 33 + 1, size, leaf, path: inclusion, root },
					sha256,
				),
			).toBe(true);
			const proof = {
				earlier: { size: 2 ** 33 + 1, root: earlier },
				later: { size, root },
				path: consistency,
			};
			expect(verifyConsistency(proof, sha256)).toBe(true);
		});
	});
});
