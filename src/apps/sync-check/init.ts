import { resolve } from "node:path";
import {
	loadMigrate,
	loadPropose,
	readManifest,
} from "../../contexts/sync/index.ts";
import type { Opened, Session } from "./session.ts";
import { harmless } from "./text.ts";

/** Prints a manifest made of what a folder holds twice, or keeps it with `--write`. */
export async function proposeHere(session: Session): Promise<number> {
	const { read, outside, streams, parts } = session;
	const root = resolve(outside.folder, read.paths[0] ?? ".").replaceAll(
		"\\",
		"/",
	);
	if (!parts.tree.lookThrough(root))
		return session.complain(`${root} is not there.`, "sync/usage");
	const { proposeManifest } = await loadPropose();
	const { pairs, notes } = proposeManifest(parts.tree, root);
	for (const note of notes) streams.error.write(`${harmless(note)}\n`);
	if (pairs.length === 0) {
		const nothing = `nothing of 64 bytes or more stands twice in ${root}`;
		if (read.write)
			return session.complain(
				`${nothing}, so no manifest was written. Write down what belongs together: {"pairs": [{"a": "…", "b": "…"}]}`,
				"sync/nothing-found",
			);
		streams.error.write(`sync-check: ${nothing}.\n`);
	}
	const text = `${JSON.stringify(
		{
			pairs,
			aliases: {},
			live_only: [],
			submodule_only: [],
			fix_direction: "live_to_submodule",
		},
		undefined,
		2,
	)}\n`;
	if (!read.write) {
		streams.out.write(text);
		return 0;
	}
	const path = `${root}/.dos-sync-manifest.json`;
	parts.tree.write(path, parts.tree.encode(text), 0o644);
	streams.error.write(`Wrote ${path}.\n`);
	return 0;
}

/** Prints a version 1 manifest as version 2, or puts it in place with `--write`; the old one stays beside it. */
export async function migrateHere(
	session: Session,
	{ manifest, text }: Opened,
): Promise<number> {
	const { streams, parts, read, home } = session;
	if (manifest.version === 2) {
		streams.error.write(`${manifest.path} is version 2 already.\n`);
		return 0;
	}
	const raw = JSON.parse(text.replace(/^\ufeff/, "")) as Record<
		string,
		unknown
	>;
	const texts = (key: string) =>
		Array.isArray(raw[key])
			? raw[key].filter((one): one is string => typeof one === "string")
			: [];
	const { migrateManifest } = await loadMigrate();
	const migrated = `${JSON.stringify(
		migrateManifest(
			manifest,
			{
				exclude: texts("exclude"),
				liveOnly: texts("live_only"),
				submoduleOnly: texts("submodule_only"),
			},
			home,
		),
		undefined,
		2,
	)}\n`;
	// What we write, we can read.
	const again = readManifest(migrated, { path: manifest.path, home });
	if (!again.ok)
		return session.complain(
			`this manifest cannot be migrated by itself:\n${again.error.message}`,
			"sync/migrate",
		);
	if (!read.write) {
		streams.out.write(migrated);
		return 0;
	}
	parts.tree.keep(manifest.path, `${manifest.path}.v1`);
	const temporary = `${manifest.path}.dos-sync-new`;
	parts.tree.write(temporary, parts.tree.encode(migrated), 0o644);
	parts.tree.rename(temporary, manifest.path);
	parts.tree.settle(
		manifest.path.slice(0, manifest.path.lastIndexOf("/")) || "/",
	);
	streams.error.write(
		`Wrote ${manifest.path}; the version 1 manifest is ${manifest.path}.v1.\n`,
	);
	return 0;
}
