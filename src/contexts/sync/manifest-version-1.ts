import type { JsonNode } from "./json.ts";
import type { Link, Manifest, Side } from "./manifest.ts";
import { field, type ManifestReader } from "./manifest-reader.ts";
import { join, parentOf } from "./path.ts";

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

export function readVersion1(
	root: JsonNode,
	reader: ManifestReader,
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
	const reversed =
		reader.choice(field(root, "fix_direction"), "fix_direction", [
			"live_to_submodule",
			"submodule_to_live",
		]) === "submodule_to_live";
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
		reader.choice(field(node, "kind"), "kind", [
			"file",
			"dir",
			"directory",
			"pack_dir",
		]);
		const side = (key: "a" | "b") => {
			const found = field(node, key);
			return found?.kind === "string"
				? reader.resolve(found.value, found.at, outside)
				: reader.mistake(
						found ?? node,
						`${what} has two paths, and "${key}" is not one: write {"a": "…", "b": "…"}.`,
					);
		};
		const a = side("a");
		const b = side("b");
		if (a === undefined || b === undefined) return undefined;
		if (a === b)
			return reader.mistake(
				node,
				`Both sides of ${what.toLowerCase()} are the same path.`,
			);
		for (const path of [a, b])
			if (path.includes("*"))
				reader.warn(
					`${reader.shown(path)} is taken as a name: a pair has no globs, the sets of version 2 have.`,
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
			if (!pair) continue;
			if (pairs.some(({ a, b }) => a === pair.b && b === pair.a))
				reader.mistake(
					node,
					"These two are a pair already, the other way round: keep the one whose a is right.",
				);
			pairs.push(pair);
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
const noDeclarations: Link["declared"] = new Map();
