import { anyOf, type Glob, openGlob } from "./glob.ts";
import type { JsonNode } from "./json.ts";
import type { Declaration, Link, Manifest, Side } from "./manifest.ts";
import {
	field,
	type ManifestReader,
	never,
	type Role,
} from "./manifest-reader.ts";
import { join } from "./path.ts";

export function readVersion2(
	root: JsonNode,
	reader: ManifestReader,
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
	const unknown = reader.choice(field(root, "unknown_drift"), "unknown_drift", [
		"refuse",
		"overwrite",
	]);
	return {
		version: 2,
		path: reader.place.path,
		links,
		modes: reader.modes(field(root, "modes")),
		overwritesUnknown: unknown === "overwrite",
	};
}

const none: ReadonlySet<string> = new Set();
const noDeclarations: Link["declared"] = new Map();

function readRoles(
	root: JsonNode,
	reader: ManifestReader,
): ReadonlyMap<string, Role> {
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
	reader: ManifestReader,
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
	reader: ManifestReader,
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
	const name = nameNode?.kind === "string" ? nameNode.value : "";
	if (name === "")
		reader.mistake(nameNode ?? node, 'A set has a name: write "name": "…".');
	else if (nameNode && context.names.has(name))
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
	const linked =
		reader.choice(field(node, "mode"), "mode", ["copy", "symlink"]) ===
		"symlink";
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
	reader: ManifestReader,
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

function readSides(
	node: JsonNode,
	roles: ReadonlyMap<string, Role>,
	reader: ManifestReader,
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
	reader: ManifestReader,
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
	reader: ManifestReader,
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
	reader: ManifestReader,
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
