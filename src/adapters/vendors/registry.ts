import type { Quirks, Vendor } from "../../ports/vendor.ts";
import { vendors } from "./all.ts";
import { baseAddress } from "./base-address.ts";

/** What the owner may say of a vendor. */
export interface VendorSettings {
	/** False turns it off. */
	readonly enabled?: boolean;
	readonly key?: string;
	/** Instead of the address we know. Without a path, the path we know stays. */
	readonly base?: string;
	/** Makes this a vendor of the owner's own: how it speaks. Needs `base`. */
	readonly protocol?: string;
	readonly auth?: Vendor["auth"];
	/** Runs on the owner's machine: needs no key. */
	readonly local?: boolean;
	/** The explicit word for plain HTTP beyond this machine and its private network. */
	readonly insecure?: boolean;
	readonly quirks?: Quirks;
}

/** A vendor as it stands here. Everything in it but `key()` may be shown to anyone; printed or serialised, it shows no key. */
export interface FoundVendor {
	/** The row, with the addresses and the way to send a key that apply here. */
	readonly vendor: Vendor;
	readonly on: boolean;
	/** "OPENAI_API_KEY in the environment". Absent when there is no key. */
	readonly keySource?: string;
	/** Why it is off, and what turns it on. Absent when it is on. */
	readonly whyNot?: string;
	/** The key itself: for the request to this vendor, and nowhere else. */
	key(): string | undefined;
}

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
		auth: auth ?? (protocol === "anthropic-messages" ? "x-api-key" : "bearer"),
		...(local ? { local } : {}),
		...(quirks ? { quirks } : {}),
		source: "config.yaml",
	};
}

function find(
	row: Vendor,
	environment: Readonly<Record<string, string | undefined>>,
	settings: VendorSettings | undefined,
): FoundVendor {
	const inConfig = `vendors.${row.id}`;
	const off = (whyNot: string, vendor: Vendor = row): FoundVendor => ({
		vendor,
		on: false,
		whyNot,
		key: () => undefined,
	});

	const fromEnvironment =
		row.baseName === undefined ? undefined : environment[row.baseName]?.trim();
	const override = settings?.base ?? (fromEnvironment || undefined);
	const placed =
		override === undefined ? row.bases : placeAt(row.bases, override);
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
	const vendor: Vendor = { ...row, bases };

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
		row.auth === "none" ? undefined : findKey(row, environment, settings);
	if (found && "problem" in found) return off(found.problem, vendor);
	if (found)
		return { vendor, on: true, keySource: found.source, key: () => found.key };
	if (row.auth === "none" || row.local)
		return {
			vendor: { ...vendor, auth: "none" },
			on: true,
			key: () => undefined,
		};
	return off(
		`set ${[...row.keyNames, `${inConfig}.key in config.yaml`].join(" or ")}`,
		vendor,
	);
}

function findKey(
	row: Vendor,
	environment: Readonly<Record<string, string | undefined>>,
	settings: VendorSettings | undefined,
):
	| { readonly key: string; readonly source: string }
	| { readonly problem: string }
	| undefined {
	const places = [
		...row.keyNames.map((name) => ({
			key: environment[name]?.trim(),
			source: `${name} in the environment`,
		})),
		{
			key: settings?.key?.trim(),
			source: `vendors.${row.id}.key in config.yaml`,
		},
	];
	let problem: string | undefined;
	for (const { key, source } of places) {
		if (!key) continue;
		// Clients of ours are given our keys under the vendors' names.
		if (key.startsWith("dos_sk_"))
			problem ??= `${source} holds a key of DuranteOS, not one of ${row.name}`;
		else if (!/^[\x21-\x7e]+$/.test(key))
			problem ??= `${source} holds characters that no key has`;
		else return { key, source };
	}
	return problem === undefined ? undefined : { problem };
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
