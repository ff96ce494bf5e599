import { accept, type Outcome, type Refusal } from "../../kernel/outcome.ts";
import { type Mistake, readJson } from "./json.ts";
import type { Manifest } from "./manifest.ts";
import { field, type ManifestPlace, openReader } from "./manifest-reader.ts";
import { readVersion1 } from "./manifest-version-1.ts";
import { readVersion2 } from "./manifest-version-2.ts";

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
