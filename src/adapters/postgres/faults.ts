import { Fault } from "../../kernel/outcome.ts";

/** The SQLSTATE of an error that the server sent, or undefined when the error is none of its. */
export function sqlState(error: unknown): string | undefined {
	if (!(error instanceof Error) || error instanceof Fault) return undefined;
	const { code, severity } = error as { code?: unknown; severity?: unknown };
	return typeof severity === "string" && typeof code === "string"
		? code
		: undefined;
}

/** Whether an error means that the connection is gone, so that what was sent last may have happened or not. */
export function isLost(error: unknown): boolean {
	if (!(error instanceof Error) || error instanceof Fault) return false;
	const state = sqlState(error);
	if (state !== undefined) return endings.test(state);
	const { code } = error as { code?: unknown };
	return (
		(typeof code === "string" && /^(E[A-Z]+|ERR_[A-Z_]+)$/.test(code)) ||
		/^(Connection terminated|Client (was closed|has encountered)|timeout e|Query read timeout)/.test(
			error.message,
		)
	);
}

/** Classes of states after which the server has closed the connection, or is about to. */
const endings = /^(08|57P0[1-5]|25P0[345])/;

export function isUnique(error: unknown): boolean {
	return sqlState(error) === "23505";
}

/** An error of the database in our own words; any other error as it is. `area` stands in front of the code. */
export function translate(
	error: unknown,
	area: "log" | "store",
	name: string,
): unknown {
	const state = sqlState(error);
	const fault = (what: string, message: string, retryable = false) =>
		new Fault(`${area}/${what}`, message, { cause: error, retryable });
	if (state === undefined) {
		if (isDistrust(error))
			return fault(
				"unavailable",
				`No safe connection to the database ${name} can be made (${reasonOf(error)}). Nothing was done; name the authority behind its certificate with sslrootcert, and the host as the certificate does.`,
				true,
			);
		return isLost(error)
			? fault(
					"unavailable",
					`The database ${name} cannot be reached (${reasonOf(error)}). Nothing was done; try again, and check that it runs and that this machine may reach it.`,
					true,
				)
			: error;
	}
	const said = `${state}: ${(error as Error).message}`;
	switch (state) {
		case "55P03": // lock not available
		case "57014": // canceled, as a statement that took too long is
		case "40P01": // deadlock
		case "40001": // serialization
		case "25P03": // idle in transaction for too long
		case "25P04": // transaction for too long
			return fault(
				"busy",
				`The database ${name} was kept waiting for too long (${said}). Nothing was written; try again.`,
				true,
			);
		case "53100":
			return fault(
				"full",
				`The disk of the database ${name} is full. Nothing was written; make room and try again.`,
			);
		case "25006":
			return fault(
				"read-only",
				`The database ${name} takes no writes, as a standby does. Nothing was written; point the store at the primary.`,
				true,
			);
		case "42501":
			return fault(
				"denied",
				`The role used for ${name} lacks a right (${said}). Nothing was written; docs/guides/run-on-postgres.md lists the rights it needs.`,
			);
		case "XX001":
		case "XX002":
			return fault(
				"damaged",
				`The database ${name} reports damage (${said}). Stop everything that uses it, and restore the newest backup.`,
			);
		case "42P01": // no such table
		case "3F000": // no such schema
			return fault(
				"not-set-up",
				`The database ${name} lacks tables of ours (${said}). Start once with a role that may create them.`,
			);
		default:
	}
	if (state === "3D000" || state.startsWith("28")) {
		return fault(
			"denied",
			`The database ${name} refuses us (${said}). Check the address, the role and its password.`,
		);
	}
	if (isLost(error) || state.startsWith("53")) {
		return fault(
			"unavailable",
			`The database ${name} cannot serve us now (${said}). Nothing was done; try again.`,
			true,
		);
	}
	return fault(
		"failed",
		`The database ${name} could not be used (${said}). Nothing was written.`,
	);
}

/** Whether a connection was not made because it could not be made safely: the certificate, or no TLS at all. */
function isDistrust(error: unknown): error is Error {
	if (!(error instanceof Error)) return false;
	const { code } = error as { code?: unknown };
	return (
		(typeof code === "string" &&
			/^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(
				code,
			)) ||
		/^The server does not support SSL/.test(error.message)
	);
}

function reasonOf(error: unknown): string {
	const { code, message } = error as { code?: unknown; message: string };
	return typeof code === "string" ? code : message;
}
