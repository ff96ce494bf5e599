import { Fault } from "../../kernel/outcome.ts";

/** Primary result codes of SQLite (the low byte of an extended one). */
const busy = 5;
const locked = 6;
const readOnly = 8;
const corrupt = 11;
const ioError = 10;
const full = 13;
const notDatabase = 26;

/** SQLite's primary result code in an error, or undefined when the error is not SQLite's. */
export function resultCode(error: unknown): number | undefined {
	if (!(error instanceof Error) || error instanceof Fault) return undefined;
	const { code, errcode } = error as { code?: unknown; errcode?: unknown };
	// Thrown for a stored integer beyond 2^53, which we never write.
	if (code === "ERR_OUT_OF_RANGE") return corrupt;
	if (code !== "ERR_SQLITE_ERROR") return undefined;
	return typeof errcode === "number" ? errcode & 0xff : 1;
}

export function isBusy(error: unknown): boolean {
	const code = resultCode(error);
	return code === busy || code === locked;
}

/** What SQLite tells in a row where it usually throws: another connection has what is needed. */
export function lockedError(): Error {
	return Object.assign(new Error("database is locked"), {
		code: "ERR_SQLITE_ERROR",
		errcode: busy,
	});
}

export function isConstraint(error: unknown): boolean {
	return resultCode(error) === 19;
}

export function isDamage(error: unknown): boolean {
	const code = resultCode(error);
	return code === corrupt || code === notDatabase;
}

/** An error of SQLite in our own words; any other error as it is. `area` stands in front of the code. */
export function translate(
	error: unknown,
	area: "log" | "store",
	path: string,
): unknown {
	const options = { cause: error };
	if (
		error instanceof Error &&
		(error as { code?: unknown }).code === "ERR_INVALID_STATE"
	) {
		return new Fault(`${area}/closed`, `${path} is closed.`, options);
	}
	switch (resultCode(error)) {
		case undefined:
			return error;
		case busy:
		case locked:
			return new Fault(
				`${area}/busy`,
				`Another program kept ${path} locked for too long. Nothing was written; try again, and end that program if it hangs.`,
				{ ...options, retryable: true },
			);
		case full:
			return new Fault(
				`${area}/full`,
				`The disk that holds ${path} is full. Nothing was written; make room and try again.`,
				options,
			);
		case readOnly:
			return new Fault(
				`${area}/read-only`,
				`${path} cannot be written. Nothing was; check the rights of the file and of its folder.`,
				options,
			);
		case corrupt:
		case notDatabase:
			return new Fault(
				`${area}/damaged`,
				`${path} is damaged, or no database of this program. Stop everything that uses it, keep a copy of the file with its -wal and -shm files, and restore the newest backup or import the newest export.`,
				options,
			);
		case ioError:
			return new Fault(
				`${area}/failed`,
				`The disk failed under ${path} (${(error as Error).message}). Nothing was written; check that it has room, may be written to, and is sound.`,
				options,
			);
		default:
			return new Fault(
				`${area}/failed`,
				`${path} could not be used (${(error as Error).message}). Nothing was written.`,
				options,
			);
	}
}
