import { type Glob, openGlob } from "./glob.ts";
import { type JsonNode, type Mistake, placeOf } from "./json.ts";
import type { Modes, Side } from "./manifest.ts";
import { isAbsolute, isWithin, join, normalize, parentOf } from "./path.ts";

export interface ManifestPlace {
	/** The manifest's own file, absolute. */
	readonly path: string;
	/** What `~` stands for, absolute. */
	readonly home: string;
}

/** A place that copies live under, as version 2 names it. */
export interface Role {
	readonly name: string;
	readonly root: string;
	readonly outside: readonly string[];
}

type Texts = JsonNode & { readonly kind: "string" };

/** Reads the parts of a manifest. What is wrong is noted where it stands, and the reading goes on. */
export interface ManifestReader {
	readonly place: ManifestPlace;
	readonly mistakes: readonly Mistake[];
	/** What was understood and is probably not meant. */
	readonly warnings: readonly string[];
	mistake(node: JsonNode, message: string): undefined;
	mistakeAt(at: number, message: string): undefined;
	warn(message: string): void;
	/** Keys that begin with `$` or `_`, and the usual ones for a comment, are the writer's own. */
	knows(node: JsonNode, keys: readonly string[]): void;
	items(
		node: JsonNode | undefined,
		key: string,
		example: string,
	): readonly JsonNode[];
	texts(node: JsonNode | undefined, key: string): readonly Texts[];
	globs(node: JsonNode | undefined, key: string): readonly string[];
	/** One of a few words; the first of them where nothing, or something else, is said. */
	choice<const T extends string>(
		node: JsonNode | undefined,
		key: string,
		words: readonly [T, ...T[]],
	): T;
	modes(node: JsonNode | undefined): Modes;
	/** A list of paths, folders or globs of whole paths, as a test of an absolute path. */
	pathRule(node: JsonNode | undefined, key: string): Glob;
	byRole(
		node: JsonNode | undefined,
		key: string,
		sides: ReadonlyMap<string, Side>,
	): readonly (readonly [string, JsonNode])[];
	/** `~` at the start stands for the home folder; undefined for the home of another. */
	expand(path: string): string | undefined;
	/** Absolute. `outside` lists what may lead above the manifest's folder; undefined: anything may. */
	resolve(
		path: string,
		at: number,
		outside: readonly string[] | undefined,
	): string | undefined;
	/** A relative path that stays below where it starts. */
	inside(path: string, at: number): string | undefined;
	/** A path under a role's root. */
	sideOf(role: Role, path: string, at: number): Side | undefined;
	/** As a person would write it: from the manifest's folder where that is shorter. */
	shown(path: string): string;
}

export function field(node: JsonNode, key: string): JsonNode | undefined {
	return node.kind === "object"
		? node.entries.find((entry) => entry.key === key)?.value
		: undefined;
}

/** A manifest that is wrong everywhere needs no more lines than a person reads. */
const mostMistakes = 50;

export function openReader(text: string, place: ManifestPlace): ManifestReader {
	const mistakes: Mistake[] = [];
	const warnings: string[] = [];
	const folder = parentOf(place.path);

	/** With `~` written out; undefined, and a mistake, for what no path can be. */
	function written(path: string, at: number): string | undefined {
		if (path.includes("\0"))
			return reader.mistakeAt(at, "A path may not hold a NUL.");
		return (
			reader.expand(path) ??
			reader.mistakeAt(
				at,
				"Only your own home can be written with ~: write the whole path.",
			)
		);
	}

	const reader: ManifestReader = {
		place,
		mistakes,
		warnings,
		mistakeAt(at, message) {
			if (mistakes.length < mostMistakes)
				mistakes.push({ ...placeOf(text, at), message });
			return undefined;
		},
		mistake: (node, message) => reader.mistakeAt(node.at, message),
		warn(message) {
			warnings.push(message);
		},
		knows(node, keys) {
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
		items(node, key, example) {
			if (!node) return [];
			if (node.kind === "array") return node.items;
			reader.mistake(node, `"${key}" is a list: write ${example}.`);
			return [];
		},
		texts: (node, key) =>
			reader.items(node, key, '["…"]').flatMap((item) => {
				if (item.kind === "string") return [item];
				reader.mistake(item, `"${key}" holds texts: put it in double quotes.`);
				return [];
			}),
		globs: (node, key) =>
			reader.texts(node, key).flatMap((item) => {
				if (openGlob(item.value)) return [item.value];
				reader.mistake(
					item,
					`This glob cannot be read: close its [ and {, and write \\[ for a bracket that is meant as one.`,
				);
				return [];
			}),
		choice(node, key, words) {
			const found =
				node?.kind === "string"
					? words.find((word) => word === node.value)
					: undefined;
			if (node && found === undefined) {
				const quoted = words.map((word) => `"${word}"`);
				reader.mistake(
					node,
					`"${key}" is ${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}.`,
				);
			}
			return found ?? words[0];
		},
		modes: (node) =>
			reader.choice(node, "modes", ["exact", "executable", "ignore"]),
		pathRule(node, key) {
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
		byRole(node, key, sides) {
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
		expand(path) {
			if (path === "~" || path.startsWith("~/"))
				return place.home + path.slice(1);
			return path.startsWith("~") ? undefined : path;
		},
		resolve(path, at, outside) {
			if (path.trim() === "")
				return reader.mistakeAt(at, "A path may not be empty.");
			const expanded = written(path, at);
			if (expanded === undefined) return undefined;
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
		inside(path, at) {
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
		sideOf(role, path, at) {
			const expanded = written(path, at);
			if (expanded === undefined) return undefined;
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
		shown: (path) =>
			isWithin(folder, path) && path !== folder
				? path.slice(folder.length + 1)
				: path,
	};
	return reader;
}

export const never: Glob = () => false;

/** The known word that a misspelt one is at most two letters away from. */
export function nearest(
	word: string,
	known: readonly string[],
): string | undefined {
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
