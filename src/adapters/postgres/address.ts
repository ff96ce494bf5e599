import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import type { ClientConfig } from "pg";
import { Fault } from "../../kernel/outcome.ts";

/** Where a database is, and how it is to be spoken to. */
export interface PostgresAddress {
	readonly client: ClientConfig;
	/** Holds our tables, so that one database can carry several installations. Default `dos`. */
	readonly schema: string;
	/** Whether a pooler in transaction mode stands in between: `true` or `false` when the address says so. */
	readonly pooler: boolean | undefined;
	/** Connections for reading, at most; writing and listening have one each besides. */
	readonly connections: number;
	/** For people: no password, no parameter. */
	readonly name: string;
}

const ours = new Set([
	"schema",
	"pooler",
	"connections",
	"sslmode",
	"sslrootcert",
	"sslcert",
	"sslkey",
	"application_name",
]);
const modes = ["disable", "require", "verify-ca", "verify-full"];

export function isPostgresAddress(text: string): boolean {
	return /^postgres(ql)?:\/\//.test(text);
}

/**
 * Reads `postgres://role:password@host:5432/database?sslmode=verify-full`. Beyond this machine, TLS with a
 * certificate that is checked is the rule unless `sslmode` says otherwise. Throws `store/bad-address`,
 * and never repeats a value, as it may be a secret.
 */
export function readAddress(text: string): PostgresAddress {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (!url || !isPostgresAddress(text))
		throw bad("must look like postgres://role:password@host:5432/database");
	for (const name of url.searchParams.keys())
		if (!ours.has(name) && name !== "host")
			throw bad(
				`has a parameter that is not known; there are ${[...ours].join(", ")}`,
			);
	const parameter = (name: string) => url.searchParams.get(name) ?? undefined;
	const schema = parameter("schema") ?? "dos";
	if (!/^[a-z_][a-z0-9_]{0,40}$/.test(schema))
		throw bad("has a schema that is not of a-z, 0-9 and _");
	const connections = Number(parameter("connections") ?? 4);
	if (!Number.isInteger(connections) || connections < 1 || connections > 1_000)
		throw bad("has connections that is no number from 1 to 1000");
	const pooler = parameter("pooler");
	if (pooler !== undefined && pooler !== "true" && pooler !== "false")
		throw bad("has a pooler that is neither true nor false");
	const host =
		parameter("host") ||
		decoded(url.hostname.replace(/^\[(.*)\]$/, "$1")) ||
		"localhost";
	const database = decoded(url.pathname.slice(1)) || undefined;
	const user = decoded(url.username) || undefined;
	const password = decoded(url.password) || undefined;
	const ssl = tls(host, parameter);
	const port = Number(url.port || 5432);
	return {
		client: {
			host,
			port,
			...(database !== undefined && { database }),
			...(user !== undefined && { user }),
			...(password !== undefined && { password }),
			application_name: parameter("application_name") ?? "duranteos",
			ssl,
			keepAlive: true,
			keepAliveInitialDelayMillis: 10_000,
		},
		schema,
		pooler: pooler === undefined ? undefined : pooler === "true",
		connections,
		name: `${host}:${port}/${database ?? user ?? ""}${schema === "dos" ? "" : ` (${schema})`}`,
	};
}

function tls(
	host: string,
	parameter: (name: string) => string | undefined,
): false | ConnectionOptions {
	const near =
		host.startsWith("/") || /^(localhost|::1|127(\.\d{1,3}){3})$/.test(host);
	const mode = parameter("sslmode") ?? (near ? "disable" : "verify-full");
	if (!modes.includes(mode))
		throw bad(`has an sslmode that is none of ${modes.join(", ")}`);
	if (mode === "disable") return false;
	const file = (name: string) => {
		const path = parameter(name);
		if (path === undefined) return undefined;
		try {
			return readFileSync(path, "utf8");
		} catch (cause) {
			throw new Fault(
				"store/bad-address",
				`The store's address names a file as ${name} that cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
				{ cause },
			);
		}
	};
	const [ca, cert, key] = [
		file("sslrootcert"),
		file("sslcert"),
		file("sslkey"),
	];
	return {
		rejectUnauthorized: mode !== "require",
		...(mode === "verify-ca" && { checkServerIdentity: () => undefined }),
		...(ca !== undefined && { ca }),
		...(cert !== undefined && { cert }),
		...(key !== undefined && { key }),
	};
}

function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		throw bad('has a "%" that begins no escape: write "%" itself as "%25"');
	}
}

function bad(what: string): Fault {
	return new Fault("store/bad-address", `The store's address ${what}.`);
}
