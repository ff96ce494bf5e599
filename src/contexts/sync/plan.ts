import type { Row } from "./check.ts";
import { keyOf } from "./check.ts";
import type { Manifest, Modes } from "./manifest.ts";
import { foldName, parentOf } from "./path.ts";
import { contentOf, type Fact, judge, modesAgree } from "./verdict.ts";

/** What a fix would do, in order, and what it leaves alone. A dry run shows the plan, a fix carries it out. */
export interface Plan {
	readonly operations: readonly Operation[];
	readonly refused: readonly Refused[];
}

export interface Operation {
	readonly action: "create" | "overwrite" | "remove" | "permissions" | "link";
	/** What is changed, absolute. */
	readonly path: string;
	/** Where the bytes come from; "" when none are needed. */
	readonly from: string;
	readonly before: Content;
	readonly after: Content;
	/** The rows this puts in order, with what they remembered. */
	readonly rows: readonly {
		readonly link: string;
		readonly relative: string;
		readonly base: string | null;
	}[];
	/** What the path was written for: nothing above it is made or followed out of. */
	readonly root: string;
	readonly bounds: readonly string[];
	/** Folders made on the way; known once it is carried out. */
	readonly makes?: readonly string[];
}

/** What stands, or shall stand, at a path. */
export type Content =
	| { readonly kind: "none" }
	| {
			readonly kind: "file";
			readonly hash: string;
			readonly permissions: number;
	  }
	| { readonly kind: "link"; readonly target: string };

export interface Refused {
	readonly row: Row;
	readonly reason: string;
}

export interface PlanOptions {
	/** Overwrites and removes what a fix would leave to a person, in the declared direction. */
	readonly force?: boolean;
	/** The copies are right: what they hold goes to the source. */
	readonly adopt?: boolean;
	/** `YYYY-MM-DD`; with it, what follows from a copy that is the source of another is planned as well. */
	readonly today?: string;
}

/** Whether a copy of one link is, or lies in, the source of another: then one fix makes work for the next. */
export function isChained({ links }: Manifest): boolean {
	const copies = new Set(links.map(({ copy }) => copy.path));
	const sources = new Set(links.map(({ source }) => source.path));
	const meets = (paths: ReadonlySet<string>, path: string) => {
		for (let at = path; at.length > 1; at = parentOf(at))
			if (paths.has(at)) return true;
		return false;
	};
	return links.some(
		({ source, copy }) =>
			meets(copies, source.path) || meets(sources, copy.path),
	);
}

/** Decides. Touches nothing. Chains need all rows, those that agree as well. */
export function planFix(
	rows: readonly Row[],
	manifest: Manifest,
	options: PlanOptions = {},
): Plan {
	let plan = planOnce(rows, manifest, options);
	const { today } = options;
	if (today === undefined || options.adopt || !isChained(manifest)) return plan;
	let current = rows;
	/** In which round each path is written first. */
	const rounds = new Map(plan.operations.map(({ path }) => [path, 0]));
	// A circle of pairs never comes to rest: it is left after as many rounds as a fix makes.
	for (let round = 1; round < 16; round++) {
		const written = new Map(
			plan.operations.map(({ path, after }) => [path, asFact(after)]),
		);
		const next = current.map((row) => {
			const source = written.get(row.source.path) ?? row.source.fact;
			return source === row.source.fact
				? row
				: judgeAgain(row, source, manifest, today);
		});
		const later = planOnce(next, manifest, options);
		const isSame =
			later.operations.length === plan.operations.length &&
			later.operations.every(({ path, after }) => {
				const fact = written.get(path);
				return (
					fact !== undefined && isSameContent(asContent(fact) as Content, after)
				);
			});
		for (const { path } of later.operations)
			if (!rounds.has(path)) rounds.set(path, round);
		plan = later;
		current = next;
		if (isSame) break;
	}
	return {
		...plan,
		operations: plan.operations.toSorted(
			(left, right) =>
				(rounds.get(left.path) as number) - (rounds.get(right.path) as number),
		),
	};
}

function asFact(content: Content): Fact {
	return content.kind === "file" ? { ...content, size: 0 } : content;
}

function judgeAgain(
	row: Row,
	source: Fact,
	manifest: Manifest,
	today: string,
): Row {
	const { link, copy, relative, base } = row;
	const { status, note } = judge({
		source,
		copy: copy.fact,
		same: row.status === "LINKED",
		base,
		declared: link.declared.get(relative),
		alone: copy.fact.kind === "none" && link.sourceOnly(row.source.path),
		linked: link.linked,
		modes: manifest.modes,
		today,
	});
	return { ...row, status, note, source: { ...row.source, fact: source } };
}

function planOnce(
	rows: readonly Row[],
	manifest: Manifest,
	options: PlanOptions,
): Plan {
	const base = parentOf(manifest.path);
	const byPath = new Map<string, Operation>();
	const rowsOf = new Map<string, Row[]>();
	const refused: Refused[] = [];
	const spoiled = new Set<string>();
	for (const row of rows) {
		const decided = options.adopt
			? adopt(row, manifest)
			: mend(row, manifest, options.force === true, base);
		if (decided === undefined) continue;
		if (typeof decided === "string") {
			refused.push({ row, reason: decided });
			continue;
		}
		const remembered = {
			link: keyOf(base, row.link),
			relative: row.relative,
			base: row.base ?? null,
		};
		const other = byPath.get(decided.path);
		rowsOf.set(decided.path, [...(rowsOf.get(decided.path) ?? []), row]);
		if (other && !isSameContent(other.after, decided.after))
			spoiled.add(decided.path);
		byPath.set(decided.path, {
			...(other ?? decided),
			rows: [...(other?.rows ?? []), remembered],
		});
	}
	const inTheWay = new Set(
		rows
			.filter(
				({ status, copy }) => status === "TYPE" && copy.fact.kind !== "folder",
			)
			.map(({ copy }) => copy.path),
	);
	if (inTheWay.size > 0)
		for (const [path, operation] of byPath) {
			const stands = ancestorIn(inTheWay, path);
			if (stands === undefined || operation.before.kind !== "none") continue;
			byPath.delete(path);
			for (const row of rowsOf.get(path) ?? [])
				refused.push({
					row,
					reason: `${stands} is no folder, so nothing can be put below it: take it away first`,
				});
		}
	for (const path of spoiled) {
		byPath.delete(path);
		for (const row of rowsOf.get(path) ?? [])
			refused.push({
				row,
				reason: `two sources that differ would both be written to ${path}: bring the sources together, or take one pair away`,
			});
	}
	return { operations: [...byPath.values()], refused };
}

/** The nearest of `paths` that `path` lies below. */
function ancestorIn(
	paths: ReadonlySet<string>,
	path: string,
): string | undefined {
	for (let at = parentOf(path); at.length > 1; at = parentOf(at))
		if (paths.has(at)) return at;
	return undefined;
}

function waysOut({ source, copy }: Row): string {
	const ways =
		"take the copy as right (--adopt PATH), overwrite it (--fix --force PATH; it is kept)";
	return source.fact.kind === "file" && copy.fact.kind === "file"
		? `${ways}, or merge both (--merge PATH)`
		: ways.replace(", overwrite", ", or overwrite");
}

function mend(
	row: Row,
	manifest: Manifest,
	force: boolean,
	base: string,
): Omit<Operation, "rows"> | string | undefined {
	const { status, source, copy, link } = row;
	switch (status) {
		case "SYNCED":
		case "LINKED":
		case "DECLARED":
			return undefined;
		case "UNREADABLE":
			return row.note ?? "it cannot be read";
		case "EDITED":
			if (!force)
				return `the copy was edited since they agreed: ${waysOut(row)}`;
			break;
		case "CONFLICT":
			if (!force)
				return `both sides changed since they agreed: ${waysOut(row)}`;
			break;
		case "DRIFT":
			if (!force && !manifest.overwritesUnknown)
				return `nobody knows which side is newer: ${waysOut(row)}`;
			break;
		case "DECLARED-CHANGED":
			if (!force)
				return "the declared difference is another one now: declare it again, or --fix --force PATH";
			break;
		case "EXTRA":
			if (!force)
				return "only the copy has it: --adopt PATH brings it to the source, --fix --force PATH takes it away (it is kept)";
			break;
		case "TYPE":
			if (!asContent(source.fact))
				return `${row.note ?? "the source is no file"}: a ${source.fact.kind === "folder" ? "folder" : "device, pipe or socket"} is not copied; leave it out with "exclude", or take one side away`;
			if (!force)
				return `${row.note ?? "they are of different kinds"}: --fix --force PATH replaces the copy (it is kept)`;
			break;
		case "MISSING":
		case "STALE":
		case "MODE":
			break;
	}
	const before = asContent(copy.fact);
	if (!before)
		return `${called(copy.fact.kind)} stands at ${copy.path}: move it away by hand`;
	const bounds = { root: link.copy.path, bounds: boundsOf(link.copy, base) };
	if (source.fact.kind === "none")
		return before.kind === "none"
			? "neither side is there: put the source back, or take the pair out of the manifest"
			: {
					action: "remove",
					path: copy.path,
					from: "",
					before,
					after: { kind: "none" },
					...bounds,
				};
	if (link.linked) {
		return {
			action: "link",
			path: copy.path,
			from: "",
			before,
			after: { kind: "link", target: source.path },
			...bounds,
		};
	}
	return transfer(source, copy, before, manifest.modes, bounds);
}

function adopt(
	row: Row,
	manifest: Manifest,
): Omit<Operation, "rows"> | string | undefined {
	const { source, copy, link } = row;
	if (
		row.status === "SYNCED" ||
		row.status === "LINKED" ||
		row.status === "DECLARED"
	)
		return undefined;
	if (row.status === "UNREADABLE") return row.note ?? "it cannot be read";
	if (copy.fact.kind === "none")
		return "the copy is not there, so there is nothing to adopt: --fix brings it";
	const before = asContent(source.fact);
	if (!before)
		return `${called(source.fact.kind)} stands at ${source.path}: move it away by hand`;
	return transfer(copy, source, before, manifest.modes, {
		root: link.source.path,
		bounds: boundsOf(link.source, parentOf(manifest.path)),
	});
}

/** Where what is written for a side has to lie, once every link is resolved. */
function boundsOf(side: Row["link"]["copy"], base: string): readonly string[] {
	if (side.root !== undefined) return [side.root, ...side.outside];
	// Version 1 has no roots: what was written relative to the manifest stays in its folder.
	return side.path.startsWith(`${base}/`) ? [base, ...side.outside] : [];
}

function transfer(
	from: { readonly path: string; readonly fact: Fact },
	to: { readonly path: string; readonly fact: Fact },
	before: Content,
	modes: Modes,
	bounds: { readonly root: string; readonly bounds: readonly string[] },
): Omit<Operation, "rows"> | string {
	const wanted = asContent(from.fact);
	if (!wanted || wanted.kind === "none")
		return `${called(from.fact.kind)} stands at ${from.path}: it cannot be copied`;
	const after: Content =
		wanted.kind === "file" && before.kind === "file"
			? {
					...wanted,
					permissions: modesAgree(from.fact, to.fact, modes)
						? before.permissions
						: wanted.permissions,
				}
			: wanted;
	if (contentOf(from.fact) === contentOf(to.fact))
		return {
			action: "permissions",
			path: to.path,
			from: "",
			before,
			after,
			...bounds,
		};
	return {
		action: before.kind === "none" ? "create" : "overwrite",
		path: to.path,
		from: from.path,
		before,
		after,
		...bounds,
	};
}

function asContent(fact: Fact): Content | undefined {
	if (fact.kind === "none") return fact;
	if (fact.kind === "link") return { kind: "link", target: fact.target };
	return fact.kind === "file"
		? { kind: "file", hash: fact.hash, permissions: fact.permissions }
		: undefined;
}

export function isSameContent(left: Content, right: Content): boolean {
	if (left.kind === "file")
		return (
			right.kind === "file" &&
			left.hash === right.hash &&
			left.permissions === right.permissions
		);
	if (left.kind === "link")
		return right.kind === "link" && left.target === right.target;
	return right.kind === "none";
}

/**
 * Names that would be one file where case, or how an accent is encoded, does not count. `taken` are the
 * names that stand beside what is made.
 */
export function collisions(
	created: readonly string[],
	taken: (folder: string) => readonly string[],
): ReadonlyMap<string, string> {
	const found = new Map<string, string>();
	const folded = new Map<string, string>();
	const folders = new Set<string>();
	for (const path of created)
		for (let folder = parentOf(path); folder.length > 1; ) {
			if (folders.has(folder)) break;
			folders.add(folder);
			for (const name of taken(folder))
				folded.set(foldName(`${folder}/${name}`), `${folder}/${name}`);
			folder = parentOf(folder);
		}
	// A folder of another case above it collides just as well, one that is made for another file too.
	const clear = new Set<string>();
	for (const path of created) {
		const names: string[] = [];
		for (let at = path; at.length > 1 && !clear.has(at); at = parentOf(at)) {
			const other = folded.get(foldName(at));
			if (other !== undefined && other !== at) found.set(path, other);
			names.push(at);
		}
		if (found.has(path)) continue;
		for (const name of names) {
			folded.set(foldName(name), name);
			clear.add(name);
		}
	}
	return found;
}

function called(kind: Fact["kind"]): string {
	return kind === "other" ? "something that is no file" : `a ${kind}`;
}
