/** The manifest as JSON Schema (draft 2020-12), both versions. */
const texts = { type: "array", items: { type: "string" } } as const;
const modes = {
	enum: ["exact", "executable", "ignore"],
	default: "exact",
	description: "Which permission bits must agree.",
} as const;
const own = {
	"^[$_]": true,
	"^(description|comment|notes?)$": true,
} as const;

const pair = {
	type: "object",
	required: ["a", "b"],
	properties: {
		a: { type: "string", description: "Path on the live side." },
		b: { type: "string", description: "Path on the submodule side." },
		kind: { enum: ["file", "dir", "directory", "pack_dir"] },
		exclude: texts,
		name: true,
		reason: true,
	},
	patternProperties: own,
	additionalProperties: false,
} as const;

const version1 = {
	type: "object",
	required: ["pairs"],
	properties: {
		version: { const: 1 },
		pairs: { type: "array", items: pair },
		pack_pairs: { type: "array", items: pair },
		aliases: {
			description: "Declared renames; the bytes must be equal.",
			oneOf: [
				{ type: "object", additionalProperties: { type: "string" } },
				{ type: "array", items: pair },
			],
		},
		live_only: texts,
		submodule_only: texts,
		fix_direction: {
			enum: ["live_to_submodule", "submodule_to_live"],
			default: "live_to_submodule",
		},
		exclude: texts,
		allow_outside: texts,
		modes,
		native_workflows: true,
	},
	patternProperties: own,
	additionalProperties: false,
} as const;

const hash = { type: "string", pattern: "^[0-9a-f]{64}$" } as const;

const set = {
	type: "object",
	required: ["name"],
	properties: {
		name: { type: "string", minLength: 1 },
		path: {
			type: "string",
			description:
				"The same path below every role's root; * stands for any one name.",
		},
		paths: {
			type: "object",
			additionalProperties: { type: "string" },
			description: "A path by role.",
		},
		roles: texts,
		canonical: { type: "string", description: "The role that is right." },
		include: texts,
		exclude: texts,
		renames: {
			type: "object",
			additionalProperties: {
				type: "object",
				additionalProperties: { type: "string" },
			},
			description: "By role: canonical name to the name there.",
		},
		only: {
			type: "object",
			additionalProperties: texts,
			description: "By role: what may stand there alone.",
		},
		mode: { enum: ["copy", "symlink"], default: "copy" },
		diverge: {
			type: "array",
			items: {
				type: "object",
				required: ["role", "reason", "owner", "hashes"],
				properties: {
					role: { type: "string" },
					path: { type: "string" },
					reason: { type: "string", minLength: 1 },
					owner: { type: "string", minLength: 1 },
					expires: { type: "string", format: "date" },
					hashes: {
						type: "object",
						required: ["canonical", "copy"],
						properties: { canonical: hash, copy: hash },
					},
				},
				patternProperties: own,
				additionalProperties: false,
			},
		},
	},
	oneOf: [{ required: ["path"] }, { required: ["paths"] }],
	patternProperties: own,
	additionalProperties: false,
} as const;

const version2 = {
	type: "object",
	required: ["version", "roles", "sets"],
	properties: {
		version: { const: 2 },
		roles: {
			type: "object",
			minProperties: 2,
			additionalProperties: {
				oneOf: [
					{ type: "string" },
					{
						type: "object",
						required: ["root"],
						properties: { root: { type: "string" }, allow_outside: texts },
						patternProperties: own,
						additionalProperties: false,
					},
				],
			},
		},
		canonical: { type: "string" },
		sets: { type: "array", items: set },
		exclude: texts,
		modes,
		unknown_drift: { enum: ["refuse", "overwrite"], default: "refuse" },
	},
	patternProperties: own,
	additionalProperties: false,
} as const;

export const manifestSchema: Readonly<Record<string, unknown>> = {
	$schema: "https://json-schema.org/draft/2020-12/schema",
	title: ".dos-sync-manifest.json",
	description: "What sync-check keeps equal.",
	if: { required: ["version"], properties: { version: { const: 2 } } },
	// biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
	then: version2,
	else: version1,
};
