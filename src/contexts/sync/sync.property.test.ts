import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeFileTree } from "../../adapters/file-tree/node.ts";
import {
	openPlayground,
	type Playground,
	slowClockTree,
} from "./sync.testing.ts";

/** What a side holds, by path: a file with bytes and bits, or a link. */
type Side = Map<string, string>;
type Step =
	| {
			readonly kind: "put";
			readonly side: "a" | "b";
			readonly path: string;
			readonly text: string;
			readonly mode: number;
	  }
	| {
			readonly kind: "link";
			readonly side: "a" | "b";
			readonly path: string;
			readonly target: string;
	  }
	| { readonly kind: "remove"; readonly side: "a" | "b"; readonly path: string }
	| { readonly kind: "copy"; readonly path: string }
	| { readonly kind: "check" };

const side = fc.constantFrom("a" as const, "b" as const);

/** One byte each: every edit is within the same tick and of the same size, which is where a cache lies. */
function steps(paths: readonly string[]): fc.Arbitrary<readonly Step[]> {
	const path = fc.constantFrom(...paths);
	return fc.array(
		fc.oneof(
			{
				weight: 5,
				arbitrary: fc.record({
					kind: fc.constant("put" as const),
					side,
					path,
					text: fc.constantFrom("1", "2", "3"),
					mode: fc.constantFrom(0o644, 0o644, 0o755),
				}),
			},
			{
				weight: 1,
				arbitrary: fc.record({
					kind: fc.constant("link" as const),
					side,
					path,
					target: fc.constantFrom("x", "y"),
				}),
			},
			{
				weight: 2,
				arbitrary: fc.record({
					kind: fc.constant("remove" as const),
					side,
					path,
				}),
			},
			{
				weight: 3,
				arbitrary: fc.record({ kind: fc.constant("copy" as const), path }),
			},
			{
				weight: 3,
				arbitrary: fc.record({ kind: fc.constant("check" as const) }),
			},
		),
		// Long enough that rows agree, are remembered, and move apart again.
		{ minLength: 15, maxLength: 40 },
	);
}

/** Names that cannot be in each other's way, and names that are. */
const apart = ["p", "d/p", "d/e/ü\nx"];
const inTheWay = [...apart, "d", "p/x"];

function forget(held: Side, path: string): void {
	for (const other of [...held.keys()])
		if (
			other === path ||
			other.startsWith(`${path}/`) ||
			path.startsWith(`${other}/`)
		)
			held.delete(other);
}

function removeOnDisk(ground: Playground, root: string, path: string): void {
	const parts = path.split("/");
	for (let length = 1; length < parts.length; length++) {
		const above = `${root}/${parts.slice(0, length).join("/")}`;
		if (!Object.keys(ground.snapshot(above))[0]?.endsWith("/"))
			ground.remove(above);
	}
	ground.remove(`${root}/${path}`);
	// Empty folders are nothing to the oracle, so none is left.
	for (let length = parts.length - 1; length > 0; length--) {
		const above = `${root}/${parts.slice(0, length).join("/")}`;
		if (Object.keys(ground.snapshot(above)).length === 1) ground.remove(above);
	}
}

function apply(
	step: Step,
	ground: Playground,
	held: { a: Side; b: Side },
): void {
	switch (step.kind) {
		case "put":
			forget(held[step.side], step.path);
			removeOnDisk(ground, step.side, step.path);
			held[step.side].set(step.path, `${step.mode.toString(8)} ${step.text}`);
			ground.put(`${step.side}/${step.path}`, step.text, step.mode);
			break;
		case "link":
			forget(held[step.side], step.path);
			removeOnDisk(ground, step.side, step.path);
			held[step.side].set(step.path, `-> ${step.target}`);
			ground.putLink(`${step.side}/${step.path}`, step.target);
			break;
		case "remove":
			forget(held[step.side], step.path);
			removeOnDisk(ground, step.side, step.path);
			break;
		case "copy": {
			const content = held.a.get(step.path);
			if (content === undefined) break;
			if (content.startsWith("-> "))
				apply(
					{
						kind: "link",
						side: "b",
						path: step.path,
						target: content.slice(3),
					},
					ground,
					held,
				);
			else
				apply(
					{
						kind: "put",
						side: "b",
						path: step.path,
						text: content.slice(4),
						mode: Number.parseInt(content.slice(0, 3), 8),
					},
					ground,
					held,
				);
			break;
		}
	}
}

const bytesOf = (content: string) =>
	content.startsWith("-> ") ? content : content.slice(4);

/** Reads nothing and caches nothing: what the tool should say, said in the simplest way. */
function oracle(
	held: { a: Side; b: Side },
	bases: Map<string, string>,
): Record<string, string> {
	const said: Record<string, string> = {};
	const isFolder = (one: Side, path: string) =>
		[...one.keys()].some((other) => other.startsWith(`${path}/`));
	for (const path of new Set([...held.a.keys(), ...held.b.keys()])) {
		const source = held.a.get(path);
		const copy = held.b.get(path);
		const base = bases.get(path);
		const kind = (one: Side, content: string | undefined) =>
			content === undefined
				? isFolder(one, path)
					? "folder"
					: "none"
				: content.startsWith("-> ")
					? "link"
					: "file";
		const [left, right] = [kind(held.a, source), kind(held.b, copy)];
		if (right === "none") said[path] = "MISSING";
		else if (left === "none") said[path] = "EXTRA";
		else if (left !== right) said[path] = "TYPE";
		else if (bytesOf(source as string) === bytesOf(copy as string)) {
			said[path] = source === copy ? "SYNCED" : "MODE";
			bases.set(path, bytesOf(source as string));
		} else if (base === undefined) said[path] = "DRIFT";
		else if (base === bytesOf(copy as string)) said[path] = "STALE";
		else if (base === bytesOf(source as string)) said[path] = "EDITED";
		else said[path] = "CONFLICT";
	}
	return said;
}

function withGround(work: (ground: Playground) => void): void {
	const ground = openPlayground({ pairs: [{ a: "a", b: "b" }] });
	try {
		ground.put("a/keep", "k", 0o644);
		ground.put("b/keep", "k", 0o644);
		work(ground);
	} finally {
		ground.end();
	}
}

describe("random trees, random edits", () => {
	it("the verdict equals a naive oracle's, cache and memory in use", () => {
		fc.assert(
			fc.property(steps(inTheWay), fc.boolean(), (run, slow) => {
				// Not a whole number of milliseconds, so that nothing but the tick protects us.
				const tree = slow
					? slowClockTree(nodeFileTree(), 400.000001)
					: nodeFileTree();
				withGround((ground) => {
					const held = {
						a: new Map([["keep", "644 k"]]),
						b: new Map([["keep", "644 k"]]),
					};
					const bases = new Map<string, string>();
					for (const step of [...run, { kind: "check" as const }]) {
						if (step.kind !== "check") {
							apply(step, ground, held);
							continue;
						}
						const expected = Object.fromEntries(
							Object.entries(oracle(held, bases)).map(([path, status]) => [
								`b/${path}`,
								status,
							]),
						);
						expect(ground.statuses({}, tree)).toEqual(expected);
						// And again from what was remembered, and once more without it.
						const counts = ground.check({ full: false }, tree).counts;
						expect(ground.check({ verify: true }, tree).counts).toEqual(counts);
						expect(counts.SYNCED).toBe(
							Object.values(expected).filter((one) => one === "SYNCED").length,
						);
					}
				});
			}),
			{ numRuns: 80 },
		);
	}, 120_000);

	it("a forced fix leaves nothing to do, and undoing it restores every byte, link, bit and verdict", () => {
		fc.assert(
			fc.property(steps(apart), fc.boolean(), (run, adopt) => {
				withGround((ground) => {
					const held = { a: new Map(), b: new Map() };
					for (const step of run)
						if (step.kind === "check") ground.check();
						else apply(step, ground, held);
					const before = { a: ground.snapshot("a"), b: ground.snapshot("b") };
					const verdicts = ground.statuses();
					const fixed = ground.fix(adopt ? { adopt } : { force: true });
					expect(fixed.failed).toEqual([]);
					const after = Object.entries(ground.statuses());
					expect(
						after.filter(
							([, status]) =>
								status !== "SYNCED" && !(adopt && status === "MISSING"),
						),
					).toEqual([]);
					if (!adopt) expect(ground.snapshot("a")).toEqual(before.a);
					const undone = ground.undo();
					expect(undone.failed).toEqual([]);
					expect(ground.snapshot("a")).toEqual(before.a);
					expect(ground.snapshot("b")).toEqual(before.b);
					expect(ground.statuses()).toEqual(verdicts);
				});
			}),
			{ numRuns: 50 },
		);
	}, 120_000);

	it("a plain fix never changes a byte of what was edited, and nothing of the source", () => {
		fc.assert(
			fc.property(steps(inTheWay), (run) => {
				withGround((ground) => {
					const held = { a: new Map(), b: new Map() };
					for (const step of run)
						if (step.kind === "check") ground.check();
						else apply(step, ground, held);
					const before = { a: ground.snapshot("a"), b: ground.snapshot("b") };
					const verdicts = ground.statuses();
					ground.fix();
					expect(ground.snapshot("a")).toEqual(before.a);
					const after = ground.snapshot("b");
					for (const [path, status] of Object.entries(verdicts))
						if (
							status === "EDITED" ||
							status === "CONFLICT" ||
							status === "EXTRA" ||
							status === "TYPE"
						)
							expect(after[path]).toBe(before.b[path]);
				});
			}),
			{ numRuns: 30 },
		);
	}, 120_000);
});
