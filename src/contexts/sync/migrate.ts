import type { Link, Manifest } from "./manifest.ts";
import { isWithin, parentOf, relativeTo } from "./path.ts";

/**
 * A version 1 manifest as a version 2 one that says the same: every pair a set of two roles. Paths become
 * relative to their role's root, which is the manifest's folder, or the whole path's for those outside.
 */
export function migrateManifest(
	manifest: Manifest,
	texts: {
		readonly exclude: readonly string[];
		readonly liveOnly: readonly string[];
		readonly submoduleOnly: readonly string[];
	},
	home: string,
): unknown {
	const folder = parentOf(manifest.path);
	const sides = manifest.links.flatMap(({ source, copy }) => [source, copy]);
	const rootOf = new Map<string, string>();
	for (const role of ["live", "submodule"]) {
		const paths = sides
			.filter((side) => side.role === role)
			.map(({ path }) => path);
		rootOf.set(
			role,
			paths.every((path) => isWithin(folder, path))
				? folder
				: commonFolder(paths),
		);
	}
	const written = (path: string): string => {
		if (path === folder) return ".";
		if (isWithin(folder, path)) return relativeTo(folder, path);
		return isWithin(home, path) ? `~${path.slice(home.length)}` : path;
	};
	const canonical = manifest.links[0]?.source.role ?? "live";
	const names = new Set<string>();
	const only = (side: string, role: string, rules: readonly string[]) => {
		const root = rootOf.get(role) as string;
		const globs = rules.flatMap((rule) => {
			const whole = rule.startsWith("~")
				? home + rule.slice(1)
				: rule.startsWith("/")
					? rule
					: `${folder}/${rule}`;
			const clean = whole.replace(/\/+$/, "");
			if (isWithin(side, clean) && clean !== side)
				return [`/${clean.slice(side.length + 1)}`];
			return isWithin(clean, side) && isWithin(root, clean) ? ["**"] : [];
		});
		return globs.length > 0 ? { [role]: globs } : {};
	};
	const sets = manifest.links.flatMap((link) => {
		// An alias inside two folders becomes a rename of their set.
		if (manifest.links.some((folder) => renameIn(folder, link))) return [];
		const live = link.source.role === "live" ? link.source : link.copy;
		const submodule = link.source.role === "live" ? link.copy : link.source;
		let name = link.set;
		for (let count = 2; names.has(name); count++)
			name = `${link.set} (${count})`;
		names.add(name);
		const at = (role: string, path: string) => {
			const root = rootOf.get(role) as string;
			return path === root
				? "."
				: path.slice(root === "/" ? 1 : root.length + 1);
		};
		const exclude = link.exclude.filter(
			(glob) => !texts.exclude.includes(glob),
		);
		const renames: Record<string, string> = {};
		for (const alias of manifest.links) {
			const rename = renameIn(link, alias);
			if (rename) renames[rename.from] = rename.to;
		}
		const renamed = new Set([
			...Object.keys(renames),
			...Object.values(renames),
		]);
		// A name whose alias leads out of the folders has a set of its own: this one leaves it out.
		const claimed = [...link.claimed.source, ...link.claimed.copy]
			.filter((path) => !renamed.has(path))
			.map((path) => `/${path.replace(/[\\*?[\]{}]/g, "\\$&")}`);
		const alone = {
			...only(live.path, "live", texts.liveOnly),
			...only(submodule.path, "submodule", texts.submoduleOnly),
		};
		return {
			name,
			paths: {
				live: at("live", live.path),
				submodule: at("submodule", submodule.path),
			},
			...(exclude.length + claimed.length > 0
				? { exclude: [...exclude, ...claimed] }
				: {}),
			...(renamed.size > 0 ? { renames: { [link.copy.role]: renames } } : {}),
			...(Object.keys(alone).length > 0 ? { only: alone } : {}),
		};
	});
	return {
		version: 2,
		roles: Object.fromEntries(
			[...rootOf].map(([role, root]) => [role, written(root)]),
		),
		canonical,
		...(texts.exclude.length > 0 ? { exclude: texts.exclude } : {}),
		...(manifest.modes === "exact" ? {} : { modes: manifest.modes }),
		unknown_drift: "overwrite",
		sets,
	};
}

/** What an alias is called on both sides of a link of folders that leaves its names to it. */
function renameIn(
	folder: Link,
	alias: Link,
): { readonly from: string; readonly to: string } | undefined {
	if (
		folder === alias ||
		!isWithin(folder.source.path, alias.source.path) ||
		!isWithin(folder.copy.path, alias.copy.path)
	)
		return undefined;
	const from = alias.source.path.slice(folder.source.path.length + 1);
	const to = alias.copy.path.slice(folder.copy.path.length + 1);
	return folder.claimed.source.has(from) && folder.claimed.copy.has(to)
		? { from, to }
		: undefined;
}

function commonFolder(paths: readonly string[]): string {
	let common = parentOf(paths[0] ?? "/");
	while (common.length > 1 && !paths.every((path) => isWithin(common, path)))
		common = parentOf(common);
	return common === "" ? "/" : common;
}
