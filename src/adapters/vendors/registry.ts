import { join } from "node:path";
import type {
	Quirks,
	Vendor,
	VendorAuth,
	VendorCredentials,
} from "../../ports/vendor.ts";
import { vendors } from "./all.ts";
import { baseAddress } from "./base-address.ts";
import { fill, findParameters, parametersIn } from "./parameters.ts";

/** What the owner may say of a vendor. */
export interface VendorSettings {
	/** False turns it off. */
	readonly enabled?: boolean;
	readonly key?: string;
	/** Instead of any other key, the environment's too. */
	readonly keys?: readonly KeySettings[];
	/** Instead of the address we know. Without a path, the path we know stays. */
	readonly base?: string;
	/** What stands in the places of the addresses we know: `{ region: "eu-central-1" }`. */
	readonly parameters?: Readonly<Record<string, string>>;
	/** Makes this a vendor of the owner's own: how it speaks. Needs `base`. */
	readonly protocol?: string;
	readonly auth?: Vendor["auth"];
	/** Runs on the owner's machine: needs no key. */
	readonly local?: boolean;
	/** The explicit word for plain HTTP beyond this machine and its private network. */
	readonly insecure?: boolean;
	readonly quirks?: Quirks;
}

/** What the key is called where there is but one. */
export const onlyKey = "1";

export interface KeySettings {
	readonly key: string;
	readonly name: string;
	readonly weight: number;
	readonly requestsPerMinute?: number;
	readonly tokensPerMinute?: number;
}

/** A vendor as it stands here. Everything in it but `keys()` may be shown to anyone; printed or serialised, it shows no key. */
export interface FoundVendor {
	/** The row, with the addresses and the way to send a key that apply here. */
	readonly vendor: Vendor;
	readonly on: boolean;
	/** "OPENAI_API_KEY in the environment". Absent when there is no key. */
	readonly keySource?: string;
	/** Why it is off, and what turns it on. Absent when it is on. */
	readonly whyNot?: string;
	/** The keys themselves: for requests to this vendor, and nowhere else. */
	keys(): readonly KeySettings[];
	/** The machine's own credentials, where they stand in for a key: as secret. */
	credentials(): Credentials | undefined;
}

/** What signs requests, or where a login is that gives tokens. */
export type Credentials =
	| {
			readonly of: "signing-keys";
			readonly service: string;
			readonly region: string;
			readonly accessKeyId: string;
			readonly secretAccessKey: string;
			readonly sessionToken?: string;
	  }
	| {
			readonly of: "login";
			readonly scope: string;
			/** A file that must be there. */
			readonly file?: string;
			/** Without `file`: one that may be there. */
			readonly usualFile?: string;
			/** Without either: who gives tokens to what runs on the vendor's own machines. */
			readonly metadataHost: string;
	  };

/**
 * Which vendors are on, and why the others are not: the rows in their order, then the owner's own.
 * One is on when its key is found, first in the environment, then in the settings; one that runs on
 * the owner's machine when it is configured or its address is set; one that takes no key always.
 */
export function findVendors({
	environment,
	configured = {},
	rows = vendors,
}: {
	readonly environment: Readonly<Record<string, string | undefined>>;
	readonly configured?: Readonly<Record<string, VendorSettings>>;
	readonly rows?: readonly Vendor[];
}): readonly FoundVendor[] {
	const own = Object.entries(configured).filter(
		([id, { protocol }]) =>
			protocol !== undefined || !rows.some((row) => row.id === id),
	);
	const all = [
		...rows.filter(({ id }) => !own.some(([ownId]) => ownId === id)),
		...own.map(([id, settings]) => customVendor(id, settings)),
	];
	return all.map((row) => find(row, environment, configured[row.id]));
}

/** The row of a vendor of the owner's own: any address that speaks one of our protocols. */
export function customVendor(
	id: string,
	{ protocol, base, auth, local, quirks }: VendorSettings,
): Vendor {
	return {
		id,
		name: id,
		bases:
			protocol === undefined || base === undefined ? {} : { [protocol]: base },
		keyNames:
			auth === "none"
				? []
				: [`${id.toUpperCase().replaceAll("-", "_")}_API_KEY`],
		auth: auth ?? usualAuth[protocol ?? ""] ?? "bearer",
		...(local ? { local } : {}),
		...(quirks ? { quirks } : {}),
		source: "config.yaml",
	};
}

/** How a protocol's own clients send a key, where not as a bearer token. */
const usualAuth: Readonly<Record<string, VendorAuth>> = {
	"anthropic-messages": "x-api-key",
	"google-generate": "x-goog-api-key",
};

function find(
	row: Vendor,
	environment: Environment,
	settings: VendorSettings | undefined,
): FoundVendor {
	const inConfig = `vendors.${row.id}`;
	const off = (whyNot: string, vendor: Vendor = row): FoundVendor => ({
		vendor,
		on: false,
		whyNot,
		keys: () => [],
		credentials: () => undefined,
	});

	const fromEnvironment =
		row.baseName === undefined ? undefined : environment[row.baseName]?.trim();
	const override = settings?.base ?? (fromEnvironment || undefined);
	const parameters = findParameters(row, environment, settings?.parameters);
	if (parameters.problem !== undefined) return off(parameters.problem);
	const known = Object.fromEntries(
		Object.entries(row.bases).map(([protocol, base]) => [
			protocol,
			fill(base, parameters.values),
		]),
	);
	const placed = override === undefined ? known : placeAt(known, override);
	const bases: Record<string, string> = {};
	for (const [protocol, base] of Object.entries(placed)) {
		// A row's own addresses are known to be right, and one of them is of no network at all.
		const checked =
			override === undefined ? base : baseAddress(base, settings?.insecure);
		if (typeof checked === "string") bases[protocol] = checked;
		else if (checked.ok) bases[protocol] = checked.value;
		else {
			const where =
				settings?.base === undefined
					? (row.baseName ?? inConfig)
					: `${inConfig}.base in config.yaml`;
			return off(`${where} is not usable. ${checked.error.message}`, {
				...row,
				bases: {},
			});
		}
	}
	const needed = neededParameters(row, override !== undefined);
	const missing = parameters.missing.filter((name) => needed.has(name));
	// An address with places in it is shown as it stands in the row.
	const vendor: Vendor = missing.length > 0 ? row : { ...row, bases };

	if (settings?.enabled === false)
		return off(`${inConfig}.enabled is false in config.yaml`, vendor);
	if (Object.keys(bases).length === 0) {
		return off(
			`no vendor of this name is known: give ${inConfig} in config.yaml a protocol and a base`,
			vendor,
		);
	}
	if (
		row.local &&
		row.baseName !== undefined &&
		settings === undefined &&
		override === undefined
	) {
		return off(
			`set ${row.baseName}, or ${inConfig} in config.yaml (enabled: true)`,
			vendor,
		);
	}
	const found =
		row.auth === "none" ? undefined : findKeys(row, environment, settings);
	if (found && "problem" in found) return off(found.problem, vendor);
	const keyless = row.auth === "none" || row.local === true;
	// Credentials that a machine holds for other things too are no word of the owner's.
	const held =
		found || !row.credentials || settings === undefined
			? undefined
			: findCredentials(row.credentials, environment, parameters.values);
	const wants = [
		...(found || held || keyless ? [] : [wantedKey(row, settings)]),
		...missing.map((name) =>
			[
				...(row.parameters?.[name]?.names ?? []),
				`${inConfig}.parameters.${name} in config.yaml`,
			].join(" or "),
		),
	];
	if (wants.length > 0) return off(`set ${wants.join("; and set ")}`, vendor);
	const on = { on: true, keys: () => [], credentials: () => undefined };
	if (found)
		return { ...on, vendor, keySource: found.source, keys: () => found.keys };
	if (held)
		return {
			...on,
			vendor,
			keySource: held.source,
			credentials: () => held.credentials,
		};
	return { ...on, vendor: { ...vendor, auth: "none" } };
}

type Environment = Readonly<Record<string, string | undefined>>;

/** With an address of the owner's own, only what stands in paths, and what requests are signed for. */
function neededParameters(row: Vendor, moved: boolean): ReadonlySet<string> {
	const texts = Object.values(row.bases).map((base) =>
		moved ? base.replace(/^\w+:\/\/[^/]*/, "") : base,
	);
	const needed = new Set(texts.flatMap((text) => parametersIn(text, row)));
	if (row.credentials?.of === "signing-keys") needed.add("region");
	return needed;
}

/** What turns a vendor without a key on. */
function wantedKey(row: Vendor, settings: VendorSettings | undefined): string {
	const key = [...row.keyNames, `vendors.${row.id}.key in config.yaml`].join(
		" or ",
	);
	if (!row.credentials) return key;
	if (settings === undefined)
		return `${key}, or vendors.${row.id}.enabled: true in config.yaml to use this machine's own credentials`;
	return `${key}, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`;
}

function findCredentials(
	wanted: VendorCredentials,
	environment: Environment,
	{ region = "" }: Readonly<Record<string, string>>,
): { readonly credentials: Credentials; readonly source: string } | undefined {
	const said = (name: string) => environment[name]?.trim() || undefined;
	if (wanted.of === "signing-keys") {
		const accessKeyId = said("AWS_ACCESS_KEY_ID");
		const secretAccessKey = said("AWS_SECRET_ACCESS_KEY");
		const sessionToken = said("AWS_SESSION_TOKEN");
		if (accessKeyId === undefined || secretAccessKey === undefined)
			return undefined;
		return {
			credentials: {
				...wanted,
				region,
				accessKeyId,
				secretAccessKey,
				...(sessionToken !== undefined && { sessionToken }),
			},
			source: "AWS_ACCESS_KEY_ID in the environment",
		};
	}
	const file = said("GOOGLE_APPLICATION_CREDENTIALS");
	const home = said("HOME") ?? said("USERPROFILE");
	const folder =
		said("CLOUDSDK_CONFIG") ??
		(home === undefined ? undefined : join(home, ".config", "gcloud"));
	return {
		credentials: {
			...wanted,
			...(file !== undefined && { file }),
			...(folder !== undefined && {
				usualFile: join(folder, "application_default_credentials.json"),
			}),
			metadataHost: said("GCE_METADATA_HOST") ?? "metadata.google.internal",
		},
		source:
			file === undefined
				? "this machine's own login"
				: "GOOGLE_APPLICATION_CREDENTIALS in the environment",
	};
}

function findKeys(
	row: Vendor,
	environment: Environment,
	settings: VendorSettings | undefined,
):
	| { readonly keys: readonly KeySettings[]; readonly source: string }
	| { readonly problem: string }
	| undefined {
	const inConfig = `vendors.${row.id}.key`;
	const listed = settings?.keys;
	if (listed) {
		for (const { key, name } of listed) {
			const problem = whyNoKey(
				key,
				`${inConfig}s in config.yaml (${name})`,
				row,
			);
			if (problem !== undefined) return { problem };
		}
		const source = `${inConfig}s in config.yaml`;
		return listed.length === 0
			? {
					problem: `${source} refers to environment variables, and none is set`,
				}
			: { keys: listed, source: `${source} (${listed.length})` };
	}
	const places = [
		...row.keyNames.map((name) => ({
			key: environment[name]?.trim(),
			source: `${name} in the environment`,
		})),
		{ key: settings?.key?.trim(), source: `${inConfig} in config.yaml` },
	];
	let problem: string | undefined;
	for (const { key, source } of places) {
		if (!key) continue;
		const whyNot = whyNoKey(key, source, row);
		if (whyNot === undefined)
			return { keys: [{ key, name: onlyKey, weight: 1 }], source };
		problem ??= whyNot;
	}
	return problem === undefined ? undefined : { problem };
}

function whyNoKey(
	key: string,
	source: string,
	row: Vendor,
): string | undefined {
	// Clients of ours are given our keys under the vendors' names.
	if (key.startsWith("dos_sk_"))
		return `${source} holds a key of DuranteOS, not one of ${row.name}`;
	return /^[\x21-\x7e]+$/.test(key)
		? undefined
		: `${source} holds characters that no key has`;
}

/**
 * The bases moved to an address of the owner's. One without a path moves them all and keeps their
 * paths. One with a path is where the protocols are that share a base with the row's first: where the
 * others would be is not known.
 */
function placeAt(
	bases: Readonly<Record<string, string>>,
	override: string,
): Readonly<Record<string, string>> {
	const known = Object.entries(bases);
	const usual = URL.parse(known[0]?.[1] ?? "");
	// As servers are told where to listen: "0.0.0.0", "127.0.0.1:11434".
	const address = URL.parse(
		override.includes("://") ? override : `http://${override}`,
	);
	if (!address)
		return Object.fromEntries(known.map(([protocol]) => [protocol, override]));
	if (!override.includes("://") && address.port === "" && usual)
		address.port = usual.port;
	if (address.hostname === "0.0.0.0") address.hostname = "127.0.0.1";
	if (address.hostname === "[::]") address.hostname = "[::1]";
	if (address.pathname !== "/" || address.search || address.hash) {
		return Object.fromEntries(
			known
				.filter(([, base]) => base === known[0]?.[1])
				.map(([protocol]) => [protocol, address.href]),
		);
	}
	return Object.fromEntries(
		known.map(([protocol, base]) => {
			const moved = new URL(address);
			moved.pathname = URL.parse(base)?.pathname ?? "/";
			return [protocol, moved.href];
		}),
	);
}
