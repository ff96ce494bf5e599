import { accept, type Outcome, type Refusal } from "../../kernel/outcome.ts";
import { anyOf, type Glob, openGlob } from "./glob.ts";
import { type JsonNode, type Mistake, placeOf, readJson } from "./json.ts";
import { isAbsolute, isWithin, join, normalize, parentOf } from "./path.ts";

/** What must agree, whichever version of the manifest said it. */
export interface Manifest {
	readonly version: 1 | 2;
	/** The manifest's own file, absolute. */
	readonly path: string;
	readonly links: readonly Link[];
	/** Which permission bits must agree: all nine, only "may it be run", or none. */
	readonly modes: Modes;
	/** Whether a fix may overwrite (and keep) a copy whose history nobody knows. Version 1 says so, as published. */
	readonly overwritesUnknown: boolean;
	/** What was understood and is probably not meant. */
	readonly warnings: readonly string[];
}

export type Modes = "exact" | "executable" | "ignore";

/** One source and one copy of it: two files, or two folders compared file by file. */
export interface Link {
	readonly set: string;
	readonly source: Side;
	readonly copy: Side;
	/** Globs of relative paths. */
	readonly include: readonly string[];
	readonly exclude: readonly string[];
	/** Relative paths that other links speak for. */
	readonly claimed: {
		readonly source: ReadonlySet<string>;
		readonly copy: ReadonlySet<string>;
	};
	/**
	 * Whether an artifact is this link's, by its path below the set, in canonical names; undefined: all are.
	 * Where a `*` stands for something, the path begins with that.
	 */
	readonly speaksFor: Glob | undefined;
	/** Whether a file may stand on this side alone, by its absolute path. */
	readonly sourceOnly: Glob;
	readonly copyOnly: Glob;
	/** The copy is meant to be a link to the source. */
	readonly linked: boolean;
	/** By relative path of the copy. */
	readonly declared: ReadonlyMap<string, Declaration>;
}

export interface Side {
	readonly role: string;
	/** Absolute. In version 2 a `*` stands for any one name, the same one on both sides. */
	readonly path: string;
	/** What nothing written for this side may leave, besides `outside`. Undefined: the path was given whole. */
	readonly root: string | undefined;
	readonly outside: readonly string[];
}

/** A difference somebody answers for. */
export interface Declaration {
	readonly reason: string;
	readonly owner: string;
	/** Last day it holds, `YYYY-MM-DD`. */
	readonly expires: string | undefined;
	readonly sourceHash: string;
	readonly copyHash: string;
}

export interface ManifestPlace {
	/** The manifest's own file, absolute. */
	readonly path: string;
	/** What `~` stands for, absolute. */
	readonly home: string;
}

export interface ManifestRefusal extends Refusal {
	readonly code: "sync/manifest-invalid";
	readonly mistakes: readonly Mistake[];
}

/** Reads either version, and finds every mistake, not only the first. */
export function readManifest(
	text: string,
	place: ManifestPlace,
): Outcome<Manifest, ManifestRefusal> {
	const json = readJson(text);
	if (!json.ok) return refusal(place, json.mistakes);
	const reader = openReader(text, place);
	const version = field(json.root, "version");
	const manifest =
		version?.kind === "number" && version.value === 2
			? readVersion2(json.root, reader)
			: readVersion1(json.root, reader);
	return reader.mistakes.length > 0 || !manifest
		? refusal(
				place,
				reader.mistakes.toSorted(
					(left, right) => left.line - right.line || left.column - right.column,
				),
			)
		: accept({ ...manifest, warnings: reader.warnings });
}

function refusal(
	place: ManifestPlace,
	mistakes: readonly Mistake[],
): Outcome<Manifest, ManifestRefusal> {
	return {
		ok: false,
		error: {
			code: "sync/manifest-invalid",
			message: mistakes
				.map(
					({ line, column, message }) =>
						`${place.path}:${line}:${column}: ${message}`,
				)
				.join("\n"),
			mistakes,
		},
	};
}

// ---- version 1

const version1Keys = [
	"pairs",
	"aliases",
	"live_only",
	"submodule_only",
	"fix_direction",
	"exclude",
	"pack_pairs",
	"allow_outside",
	"modes",
	"version",
	"native_workflows",
];

function readVersion1(
	root: JsonNode,
	reader: Reader,
): Omit<Manifest, "warnings"> | undefined {
	if (root.kind !== "object")
		return reader.mistake(
			root,
			'A manifest is an object: write {"pairs": [{"a": "…", "b": "…"}]}.',
		);
	const version = field(root, "version");
	if (version && !(version.kind === "number" && version.value === 1))
		return reader.mistake(
			version,
			'There is no such version: write 1 or 2, or leave "version" out for 1.',
		);
	reader.knows(root, version1Keys);
	if (!field(root, "pairs"))
		reader.mistake(
			root,
			'"pairs" is missing: write "pairs": [{"a": "…", "b": "…"}], or "pairs": [] if there are none.',
		);
	const outside = reader
		.texts(field(root, "allow_outside"), "allow_outside")
		.map(({ value }) => value);
	const beyond = outside.map((path) =>
		join(parentOf(reader.place.path), reader.expand(path) ?? path),
	);
	const direction = field(root, "fix_direction");
	if (
		direction &&
		!(
			direction.kind === "string" &&
			["live_to_submodule", "submodule_to_live"].includes(direction.value)
		)
	)
		reader.mistake(
			direction,
			'"fix_direction" is "live_to_submodule" or "submodule_to_live".',
		);
	const reversed =
		direction?.kind === "string" && direction.value === "submodule_to_live";
	const exclude = reader.globs(field(root, "exclude"), "exclude");
	const liveOnly = reader.pathRule(field(root, "live_only"), "live_only");
	const submoduleOnly = reader.pathRule(
		field(root, "submodule_only"),
		"submodule_only",
	);

	interface Pair {
		readonly a: string;
		readonly b: string;
		readonly exclude: readonly string[];
	}
	const readPair = (node: JsonNode, what: string): Pair | undefined => {
		if (node.kind !== "object")
			return reader.mistake(
				node,
				`${what} is an object: write {"a": "…", "b": "…"}.`,
			);
		reader.knows(node, ["a", "b", "kind", "exclude", "reason", "name"]);
		const kind = field(node, "kind");
		if (
			kind &&
			!(
				kind.kind === "string" &&
				["file", "dir", "directory", "pack_dir"].includes(kind.value)
			)
		)
			reader.mistake(kind, '"kind" is "file", "dir" or "pack_dir".');
		const a = reader.path(node, "a", what, outside);
		const b = reader.path(node, "b", what, outside);
		if (a === undefined || b === undefined) return undefined;
		if (a === b)
			return reader.mistake(
				node,
				`Both sides of ${what.toLowerCase()} are the same path.`,
			);
		return {
			a,
			b,
			exclude: reader.globs(field(node, "exclude"), "exclude"),
		};
	};
	const pairs: Pair[] = [];
	for (const key of ["pairs", "pack_pairs"])
		for (const node of reader.items(
			field(root, key),
			key,
			'[{"a": "…", "b": "…"}]',
		)) {
			const pair = readPair(node, "A pair");
			if (pair) pairs.push(pair);
		}
	const aliases: Pair[] = [];
	const aliasNode = field(root, "aliases");
	if (aliasNode?.kind === "object") {
		for (const { key, keyAt, value } of aliasNode.entries) {
			if (key === "$comment") continue;
			const a = reader.resolve(key, keyAt, outside);
			const b =
				value.kind === "string"
					? reader.resolve(value.value, value.at, outside)
					: reader.mistake(
							value,
							'An alias maps a path to a path: write "path on side a": "path on side b".',
						);
			if (a !== undefined && b !== undefined) {
				if (a === b)
					reader.mistake(value, "Both sides of an alias are the same path.");
				else aliases.push({ a, b, exclude: [] });
			}
		}
	} else if (aliasNode) {
		for (const node of reader.items(
			aliasNode,
			"aliases",
			'{"path on side a": "path on side b"}',
		)) {
			const alias = readPair(node, "An alias");
			if (alias) aliases.push(alias);
		}
	}

	// What an alias names, the folders above it leave to the alias.
	const claimed = {
		a: new Map<string, Set<string>>(),
		b: new Map<string, Set<string>>(),
	};
	for (const alias of aliases)
		for (const side of ["a", "b"] as const)
			for (
				let above = parentOf(alias[side]);
				above.length > 1;
				above = parentOf(above)
			) {
				const claims = claimed[side].get(above) ?? new Set();
				claimed[side].set(
					above,
					claims.add(alias[side].slice(above.length + 1)),
				);
			}
	const seen = new Set<string>();
	const links: Link[] = [];
	for (const pair of [...pairs, ...aliases]) {
		const key = `${pair.a}\0${pair.b}`;
		if (seen.has(key)) continue;
		seen.add(key);
		const claims = {
			a: claimed.a.get(pair.a) ?? none,
			b: claimed.b.get(pair.b) ?? none,
		};
		const side = (role: string, path: string): Side => ({
			role,
			path,
			root: undefined,
			outside: beyond,
		});
		const live = side("live", pair.a);
		const submodule = side("submodule", pair.b);
		links.push({
			set: reader.shown(reversed ? pair.b : pair.a),
			source: reversed ? submodule : live,
			copy: reversed ? live : submodule,
			include: [],
			exclude:
				pair.exclude.length > 0 ? [...exclude, ...pair.exclude] : exclude,
			claimed: reversed
				? { source: claims.b, copy: claims.a }
				: { source: claims.a, copy: claims.b },
			speaksFor: undefined,
			sourceOnly: reversed ? submoduleOnly : liveOnly,
			copyOnly: reversed ? liveOnly : submoduleOnly,
			linked: false,
			declared: noDeclarations,
		});
	}
	return {
		version: 1,
		path: reader.place.path,
		links,
		modes: reader.modes(field(root, "modes")),
		overwritesUnknown: true,
	};
}

const none: ReadonlySet<string> = new Set();
const noDeclarations: ReadonlyMap<string, Declaration> = new Map();

// ---- version 2

interface Role {
	readonly name: string;
	readonly root: string;
	readonly outside: readonly string[];
}

function readVersion2(
	root: JsonNode,
	reader: Reader,
): Omit<Manifest, "warnings"> | undefined {
	reader.knows(root, [
		"version",
		"roles",
		"canonical",
		"sets",
		"exclude",
		"modes",
		"unknown_drift",
	]);
	const roles = readRoles(root, reader);
	const canonical = readRoleName(field(root, "canonical"), roles, reader);
	const exclude = reader.globs(field(root, "exclude"), "exclude");
	if (!field(root, "sets"))
		reader.mistake(
			root,
			'"sets" is missing: write "sets": [{"name": "…", "path": "…"}].',
		);
	const names = new Set<string>();
	const links: Link[] = [];
	for (const node of reader.items(
		field(root, "sets"),
		"sets",
		'[{"name": "…", "path": "…"}]',
	))
		links.push(...readSet(node, { roles, canonical, exclude, names }, reader));
	const unknown = field(root, "unknown_drift");
	if (
		unknown &&
		!(
			unknown.kind === "string" &&
			["refuse", "overwrite"].includes(unknown.value)
		)
	)
		reader.mistake(unknown, '"unknown_drift" is "refuse" or "overwrite".');
	return {
		version: 2,
		path: reader.place.path,
		links,
		modes: reader.modes(field(root, "modes")),
		overwritesUnknown:
			unknown?.kind === "string" && unknown.value === "overwrite",
	};
}

function readRoles(root: JsonNode, reader: Reader): ReadonlyMap<string, Role> {
	const roles = new Map<string, Role>();
	const node = field(root, "roles");
	const example = '{"live": "~/live", "release": "Releases/current"}';
	if (node?.kind !== "object" || node.entries.length < 2) {
		reader.mistake(
			node ?? root,
			`"roles" names at least two places: write "roles": ${example}.`,
		);
		if (node?.kind !== "object") return roles;
	}
	for (const { key, keyAt, value } of node.entries) {
		if (!/^[\w.-]+$/.test(key)) {
			reader.mistakeAt(
				keyAt,
				"A role's name is made of letters, digits, dots, dashes and underscores.",
			);
			continue;
		}
		const rootNode = value.kind === "object" ? field(value, "root") : value;
		if (value.kind === "object") reader.knows(value, ["root", "allow_outside"]);
		if (rootNode?.kind !== "string") {
			reader.mistake(
				value,
				`A role has a root: write "${key}": "folder", or {"root": "folder"}.`,
			);
			continue;
		}
		// A root is stated by name: it may lie anywhere.
		const path = reader.resolve(rootNode.value, rootNode.at, undefined);
		if (path === undefined) continue;
		const outside =
			value.kind === "object"
				? reader
						.texts(field(value, "allow_outside"), "allow_outside")
						.map(({ value: text }) => join(path, reader.expand(text) ?? text))
				: [];
		roles.set(key, { name: key, root: path, outside });
	}
	return roles;
}

function readRoleName(
	node: JsonNode | undefined,
	roles: ReadonlyMap<string, Role>,
	reader: Reader,
): Role | undefined {
	if (!node) return undefined;
	const role = node.kind === "string" ? roles.get(node.value) : undefined;
	if (!role)
		reader.mistake(
			node,
			`This names a role: write one of ${[...roles.keys()].map((name) => `"${name}"`).join(", ")}.`,
		);
	return role;
}

const setKeys = [
	"name",
	"path",
	"paths",
	"roles",
	"canonical",
	"overrides",
	"include",
	"exclude",
	"renames",
	"only",
	"mode",
	"diverge",
];

function readSet(
	node: JsonNode,
	context: {
		readonly roles: ReadonlyMap<string, Role>;
		readonly canonical: Role | undefined;
		readonly exclude: readonly string[];
		readonly names: Set<string>;
	},
	reader: Reader,
): readonly Link[] {
	if (node.kind !== "object") {
		reader.mistake(
			node,
			'A set is an object: write {"name": "…", "path": "…"}.',
		);
		return [];
	}
	reader.knows(node, setKeys);
	const nameNode = field(node, "name");
	if (nameNode?.kind !== "string" || nameNode.value === "") {
		reader.mistake(nameNode ?? node, 'A set has a name: write "name": "…".');
		return [];
	}
	const name = nameNode.value;
	if (context.names.has(name))
		reader.mistake(
			nameNode,
			`Another set is called "${name}" already: give this one a name of its own.`,
		);
	context.names.add(name);
	const canonicalNode = field(node, "canonical");
	const canonical = canonicalNode
		? readRoleName(canonicalNode, context.roles, reader)
		: context.canonical;
	const sides = readSides(node, context.roles, reader);
	if (!canonical) {
		if (!canonicalNode)
			reader.mistake(
				node,
				'Nothing says which role is canonical: write "canonical": "<role>" here or at the top.',
			);
		return [];
	}
	const source = sides.get(canonical.name);
	if (!source) {
		if (sides.size > 0)
			reader.mistake(
				node,
				`The canonical role "${canonical.name}" has no path in this set.`,
			);
		return [];
	}
	if (sides.size < 2) {
		reader.mistake(
			node,
			"A set has at least two roles, the canonical one and a copy.",
		);
		return [];
	}
	const include = reader.globs(field(node, "include"), "include");
	const exclude = [
		...context.exclude,
		...reader.globs(field(node, "exclude"), "exclude"),
	];
	const modeNode = field(node, "mode");
	if (
		modeNode &&
		!(
			modeNode.kind === "string" && ["copy", "symlink"].includes(modeNode.value)
		)
	)
		reader.mistake(modeNode, '"mode" is "copy" or "symlink".');
	const linked = modeNode?.kind === "string" && modeNode.value === "symlink";
	const only = readOnly(field(node, "only"), sides, reader);
	const renames = readRenames(field(node, "renames"), sides, reader);
	const declared = readDeclarations(field(node, "diverge"), sides, reader);

	const overrides = readOverrides(
		field(node, "overrides"),
		context.roles,
		sides,
		reader,
	);
	/** Who is right about an artifact. */
	const ownerOf = (path: string): string =>
		overrides.find(({ fits }) => fits(path))?.role ?? source.role;

	const links: Link[] = [];
	const sources = new Set([
		source,
		...overrides.map(({ role }) => sides.get(role) as Side),
	]);
	for (const from of sources)
		for (const copy of sides.values()) {
			if (copy === from) continue;
			// Renames are from the names of the canonical role: two others may both have names of their own.
			const moved = pairRenames(renames.get(from.role), renames.get(copy.role));
			const declarations = declared.get(copy.role) ?? noDeclarations;
			const common = {
				set: name,
				include,
				exclude,
				sourceOnly: only.get(from.role) ?? never,
				copyOnly: only.get(copy.role) ?? never,
				linked,
			};
			links.push({
				...common,
				source: from,
				copy,
				speaksFor:
					overrides.length > 0
						? (path) => ownerOf(path) === from.role
						: undefined,
				declared: declarations,
				claimed: {
					source: new Set(moved.map(({ atSource }) => atSource)),
					copy: new Set(moved.map(({ atCopy }) => atCopy)),
				},
			});
			for (const { canonical: artifact, atSource, atCopy } of moved) {
				const declaration = declarations.get(atCopy);
				links.push({
					...common,
					source: { ...from, path: join(from.path, atSource) },
					copy: { ...copy, path: join(copy.path, atCopy) },
					speaksFor:
						overrides.length > 0
							? (path) =>
									ownerOf(path === "" ? artifact : `${path}/${artifact}`) ===
									from.role
							: undefined,
					declared: declaration ? new Map([["", declaration]]) : noDeclarations,
					claimed: { source: none, copy: none },
				});
			}
		}
	return links;
}

type Renames = readonly { readonly from: string; readonly to: string }[];

/** What is called otherwise on one of two sides, with its name on each. */
function pairRenames(
	source: Renames = [],
	copy: Renames = [],
): readonly { canonical: string; atSource: string; atCopy: string }[] {
	const nameIn = (renames: Renames, name: string) =>
		renames.find(({ from }) => from === name)?.to ?? name;
	return [...new Set([...source, ...copy].map(({ from }) => from))].map(
		(name) => ({
			canonical: name,
			atSource: nameIn(source, name),
			atCopy: nameIn(copy, name),
		}),
	);
}

/** Artifacts of a set that another role is right about; the first that fits counts. */
function readOverrides(
	node: JsonNode | undefined,
	roles: ReadonlyMap<string, Role>,
	sides: ReadonlyMap<string, Side>,
	reader: Reader,
): readonly { readonly fits: Glob; readonly role: string }[] {
	const example = '{"path": "Notes", "canonical": "<role>"}';
	return reader.items(node, "overrides", `[${example}]`).flatMap((item) => {
		if (item.kind !== "object")
			return (
				reader.mistake(item, `An override is an object: write ${example}.`) ??
				[]
			);
		reader.knows(item, ["path", "canonical", "reason"]);
		const path = field(item, "path");
		const canonical = field(item, "canonical");
		const fits = path?.kind === "string" ? openGlob(path.value) : undefined;
		if (!fits)
			reader.mistake(
				path ?? item,
				`An override has a "path", a glob of what is in the set: write ${example}.`,
			);
		if (!canonical)
			reader.mistake(
				item,
				`An override says which role is right: write ${example}.`,
			);
		const role = readRoleName(canonical, roles, reader);
		if (role && canonical && sides.size > 0 && !sides.has(role.name))
			reader.mistake(
				canonical,
				`The role "${role.name}" has no path in this set.`,
			);
		return fits && role && sides.has(role.name)
			? [{ fits, role: role.name }]
			: [];
	});
}

const never: Glob = () => false;

function readSides(
	node: JsonNode,
	roles: ReadonlyMap<string, Role>,
	reader: Reader,
): ReadonlyMap<string, Side> {
	const sides = new Map<string, Side>();
	const path = field(node, "path");
	const paths = field(node, "paths");
	if (path ? paths : !paths) {
		reader.mistake(
			paths ?? node,
			'A set has either "path" (the same below every role\'s root) or "paths" ({"role": "path"}).',
		);
		return sides;
	}
	const add = (role: Role, text: JsonNode) => {
		if (text.kind !== "string") {
			reader.mistake(text, "A path is a text.");
			return;
		}
		const side = reader.sideOf(role, text.value, text.at);
		if (side) sides.set(role.name, side);
	};
	if (path) {
		const named = field(node, "roles");
		const chosen = named
			? reader.items(named, "roles", '["live", "release"]')
			: undefined;
		if (chosen)
			for (const one of chosen) {
				const role = readRoleName(one, roles, reader);
				if (role) add(role, path);
			}
		else for (const role of roles.values()) add(role, path);
	} else if (paths?.kind === "object") {
		for (const { key, keyAt, value } of paths.entries) {
			const role = roles.get(key);
			if (role) add(role, value);
			else
				reader.mistakeAt(
					keyAt,
					`There is no role "${key}"; there are ${[...roles.keys()].join(", ")}.`,
				);
		}
	} else if (paths)
		reader.mistake(
			paths,
			'"paths" is an object: write {"live": "…", "release": "…"}.',
		);
	const stars = new Set(
		[...sides.values()].map(
			(side) =>
				side.path.split("/").filter((part) => part.includes("*")).length,
		),
	);
	if (stars.size > 1)
		reader.mistake(
			paths ?? node,
			'Every path of a set has the same number of "*": each stands for the same name everywhere.',
		);
	return sides;
}

function readOnly(
	node: JsonNode | undefined,
	sides: ReadonlyMap<string, Side>,
	reader: Reader,
): ReadonlyMap<string, Glob> {
	const only = new Map<string, Glob>();
	for (const [role, value] of reader.byRole(node, "only", sides)) {
		const side = sides.get(role) as Side;
		const fits = anyOf(
			reader
				.globs(value, "only")
				.map((glob) => openGlob(glob))
				.filter((glob) => glob !== undefined),
		);
		const depth = side.path.split("/").length;
		only.set(role, (path) => fits(path.split("/").slice(depth).join("/")));
	}
	return only;
}

function readRenames(
	node: JsonNode | undefined,
	sides: ReadonlyMap<string, Side>,
	reader: Reader,
): ReadonlyMap<string, readonly { from: string; to: string }[]> {
	const renames = new Map<string, readonly { from: string; to: string }[]>();
	for (const [role, value] of reader.byRole(node, "renames", sides)) {
		if (value.kind !== "object") {
			reader.mistake(
				value,
				'Renames map canonical names to names here: write {"from.py": "to.py"}.',
			);
			continue;
		}
		renames.set(
			role,
			value.entries.flatMap(({ key, keyAt, value: to }) => {
				const from = reader.inside(key, keyAt);
				const target =
					to.kind === "string"
						? reader.inside(to.value, to.at)
						: reader.mistake(to, "A name is a text.");
				return from !== undefined && target !== undefined
					? [{ from, to: target }]
					: [];
			}),
		);
	}
	return renames;
}

function readDeclarations(
	node: JsonNode | undefined,
	sides: ReadonlyMap<string, Side>,
	reader: Reader,
): ReadonlyMap<string, ReadonlyMap<string, Declaration>> {
	const declared = new Map<string, Map<string, Declaration>>();
	for (const item of reader.items(
		node,
		"diverge",
		'[{"role": "…", "path": "…", …}]',
	)) {
		if (item.kind !== "object") {
			reader.mistake(item, "A declared divergence is an object.");
			continue;
		}
		reader.knows(item, [
			"role",
			"path",
			"reason",
			"owner",
			"expires",
			"hashes",
		]);
		const text = (key: string, from: JsonNode | undefined, want: string) => {
			const found = from && field(from, key);
			return found?.kind === "string" && found.value !== ""
				? found
				: reader.mistake(
						found ?? from ?? item,
						`A declared divergence has ${want}.`,
					);
		};
		const role = text("role", item, 'a "role", the copy that differs');
		const reason = text("reason", item, 'a "reason" for its being so');
		const owner = text("owner", item, 'an "owner" who answers for it');
		const hashes = field(item, "hashes");
		const wanted =
			'"hashes": {"canonical": "<sha256>", "copy": "<sha256>"} (sync-check --explain PATH prints both)';
		const sourceHash = text("canonical", hashes, wanted);
		const copyHash = text("copy", hashes, wanted);
		for (const hash of [sourceHash, copyHash])
			if (hash && !/^[0-9a-f]{64}$/.test(hash.value))
				reader.mistake(hash, "A hash is a sha256 in 64 lower-case hex digits.");
		const expires = field(item, "expires");
		if (expires && !(expires.kind === "string" && isDay(expires.value)))
			reader.mistake(
				expires,
				'"expires" is the last day it holds: write a date such as "2027-01-31".',
			);
		const pathNode = field(item, "path");
		const path =
			pathNode === undefined
				? ""
				: pathNode.kind === "string"
					? reader.inside(pathNode.value, pathNode.at)
					: reader.mistake(pathNode, "A path is a text.");
		if (role && !sides.has(role.value))
			reader.mistake(role, `No role of this set is called "${role.value}".`);
		if (
			!role ||
			!reason ||
			!owner ||
			!sourceHash ||
			!copyHash ||
			path === undefined
		)
			continue;
		const byPath = declared.get(role.value) ?? new Map<string, Declaration>();
		byPath.set(path, {
			reason: reason.value,
			owner: owner.value,
			expires: expires?.kind === "string" ? expires.value : undefined,
			sourceHash: sourceHash.value,
			copyHash: copyHash.value,
		});
		declared.set(role.value, byPath);
	}
	return declared;
}

function isDay(text: string): boolean {
	if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
	const time = Date.parse(`${text}T00:00:00Z`);
	return (
		!Number.isNaN(time) && new Date(time).toISOString().slice(0, 10) === text
	);
}

// ---- what both need

function field(node: JsonNode, key: string): JsonNode | undefined {
	return node.kind === "object"
		? node.entries.find((entry) => entry.key === key)?.value
		: undefined;
}

type Reader = ReturnType<typeof openReader>;

function openReader(text: string, place: ManifestPlace) {
	const mistakes: Mistake[] = [];
	const warnings: string[] = [];
	const folder = parentOf(place.path);
	const reader = {
		place,
		mistakes,
		warnings,
		mistakeAt(at: number, message: string): undefined {
			// A manifest that is wrong everywhere needs no more lines than a person reads.
			if (mistakes.length < 50)
				mistakes.push({ ...placeOf(text, at), message });
		},
		mistake(node: JsonNode, message: string): undefined {
			reader.mistakeAt(node.at, message);
		},
		/** Keys that begin with `$` or `_`, and the usual ones for a comment, are the writer's own. */
		knows(node: JsonNode, keys: readonly string[]): void {
			if (node.kind !== "object") return;
			for (const { key, keyAt } of node.entries) {
				if (
					keys.includes(key) ||
					/^[$_]|^(description|comment|notes?)$/.test(key)
				)
					continue;
				const near = nearest(key, keys);
				reader.mistakeAt(
					keyAt,
					`There is no "${key}" here${near ? `: did you mean "${near}"?` : `; there are ${keys.join(", ")}.`}`,
				);
			}
		},
		items(
			node: JsonNode | undefined,
			key: string,
			example: string,
		): readonly JsonNode[] {
			if (!node) return [];
			if (node.kind === "array") return node.items;
			reader.mistake(node, `"${key}" is a list: write ${example}.`);
			return [];
		},
		texts(node: JsonNode | undefined, key: string) {
			return reader.items(node, key, '["…"]').flatMap((item) => {
				if (item.kind === "string") return [item];
				reader.mistake(item, `"${key}" holds texts: put it in double quotes.`);
				return [];
			});
		},
		globs(node: JsonNode | undefined, key: string): readonly string[] {
			return reader.texts(node, key).flatMap((item) => {
				if (openGlob(item.value)) return [item.value];
				reader.mistake(
					item,
					`This glob cannot be read: close its [ and {, and write \\[ for a bracket that is meant as one.`,
				);
				return [];
			});
		},
		/** A list of paths, folders or globs of whole paths, as a test of an absolute path. */
		pathRule(node: JsonNode | undefined, key: string): Glob {
			const exact = new Set<string>();
			const globs: Glob[] = [];
			for (const item of reader.texts(node, key)) {
				const path = reader.resolve(item.value, item.at, undefined);
				if (path === undefined) continue;
				if (/[*?[{]/.test(item.value)) {
					const glob = openGlob(path);
					if (glob) globs.push((tested) => glob(tested.replace(/^\//, "")));
				}
				exact.add(path);
			}
			if (exact.size === 0) return never;
			return (path) => {
				for (let at = path; at !== "" && at !== "/"; at = parentOf(at))
					if (exact.has(at)) return true;
				return globs.some((glob) => glob(path));
			};
		},
		byRole(
			node: JsonNode | undefined,
			key: string,
			sides: ReadonlyMap<string, Side>,
		): readonly (readonly [string, JsonNode])[] {
			if (!node) return [];
			if (node.kind !== "object") {
				reader.mistake(
					node,
					`"${key}" is an object by role: write {"<role>": …}.`,
				);
				return [];
			}
			return node.entries.flatMap(({ key: role, keyAt, value }) => {
				if (sides.has(role)) return [[role, value] as const];
				reader.mistakeAt(keyAt, `No role of this set is called "${role}".`);
				return [];
			});
		},
		modes(node: JsonNode | undefined): Modes {
			if (!node) return "exact";
			if (
				node.kind === "string" &&
				(node.value === "exact" ||
					node.value === "executable" ||
					node.value === "ignore")
			)
				return node.value;
			reader.mistake(node, '"modes" is "exact", "executable" or "ignore".');
			return "exact";
		},
		path(
			node: JsonNode,
			key: string,
			what: string,
			outside: readonly string[],
		): string | undefined {
			const found = field(node, key);
			if (found?.kind === "string")
				return reader.resolve(found.value, found.at, outside);
			return reader.mistake(
				found ?? node,
				`${what} has two paths, and "${key}" is not one: write {"a": "…", "b": "…"}.`,
			);
		},
		/** `~` at the start stands for the home folder. */
		expand(path: string): string | undefined {
			if (path === "~" || path.startsWith("~/"))
				return place.home + path.slice(1);
			return path.startsWith("~") ? undefined : path;
		},
		/** Absolute. `outside` lists what may lead above the manifest's folder; undefined: anything may. */
		resolve(
			path: string,
			at: number,
			outside: readonly string[] | undefined,
		): string | undefined {
			if (path.trim() === "")
				return reader.mistakeAt(at, "A path may not be empty.");
			if (path.includes("\0"))
				return reader.mistakeAt(at, "A path may not hold a NUL.");
			const expanded = reader.expand(path);
			if (expanded === undefined)
				return reader.mistakeAt(
					at,
					"Only your own home can be written with ~: write the whole path.",
				);
			if (isAbsolute(expanded)) return normalize(expanded);
			const resolved = join(folder, expanded);
			if (
				outside &&
				!isWithin(folder, resolved) &&
				!outside.some((allowed) => isWithin(join(folder, allowed), resolved))
			)
				return reader.mistakeAt(
					at,
					`${JSON.stringify(path)} leaves the manifest's folder. If that is meant, name it: "allow_outside": [${JSON.stringify(path)}], or write the path whole, from / or ~.`,
				);
			return resolved;
		},
		/** A relative path that stays below where it starts. */
		inside(path: string, at: number): string | undefined {
			const clean = normalize(path);
			if (
				clean === "" ||
				clean.includes("\0") ||
				isAbsolute(clean) ||
				/^\.\.(\/|$)/.test(clean)
			)
				return reader.mistakeAt(
					at,
					"This is a path below the set's own: no leading /, no way out through ..",
				);
			return clean;
		},
		sideOf(role: Role, path: string, at: number): Side | undefined {
			if (path.includes("\0"))
				return reader.mistakeAt(at, "A path may not hold a NUL.");
			const expanded = reader.expand(path);
			if (expanded === undefined)
				return reader.mistakeAt(
					at,
					"Only your own home can be written with ~: write the whole path.",
				);
			const resolved = join(role.root, expanded === "" ? "." : expanded);
			if (
				!isWithin(role.root, resolved) &&
				!role.outside.some((allowed) => isWithin(allowed, resolved))
			)
				return reader.mistakeAt(
					at,
					`${JSON.stringify(path)} leaves the root of "${role.name}". If that is meant, write the role as {"root": "…", "allow_outside": [${JSON.stringify(path)}]}.`,
				);
			return {
				role: role.name,
				path: resolved,
				root: role.root,
				outside: role.outside,
			};
		},
		/** As a person would write it: from the manifest's folder where that is shorter. */
		shown(path: string): string {
			return isWithin(folder, path) && path !== folder
				? path.slice(folder.length + 1)
				: path;
		},
	};
	return reader;
}

/** The known word that a misspelt one is at most two letters away from. */
function nearest(word: string, known: readonly string[]): string | undefined {
	let best: string | undefined;
	let least = Math.max(1, Math.min(2, word.length / 3)) + 0.5;
	for (const candidate of known) {
		const distance = editDistance(word.toLowerCase(), candidate);
		if (distance < least) {
			best = candidate;
			least = distance;
		}
	}
	return best;
}

function editDistance(left: string, right: string): number {
	let row = Array.from({ length: right.length + 1 }, (_, at) => at);
	for (let i = 1; i <= left.length; i++) {
		const next = [i];
		for (let j = 1; j <= right.length; j++)
			next.push(
				Math.min(
					(row[j] as number) + 1,
					(next[j - 1] as number) + 1,
					(row[j - 1] as number) + (left[i - 1] === right[j - 1] ? 0 : 1),
				),
			);
		row = next;
	}
	return row[right.length] as number;
}
