import { Fault } from "../../kernel/outcome.ts";

/** What the adapters of every runtime must do alike. */

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Visible characters, space, tab and the upper half of Latin-1. */
const value = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Throws `http/bad-head` for what would let a value break out of its header. */
export function checkHead(
	status: number,
	headers: Readonly<Record<string, string>>,
): void {
	if (!Number.isInteger(status) || status < 200 || status > 599) {
		throw new Fault("http/bad-head", `${status} is not a status of an answer.`);
	}
	for (const name in headers) {
		if (!token.test(name) || !value.test(headers[name] as string)) {
			throw new Fault(
				"http/bad-head",
				`The response header ${JSON.stringify(name)} has characters that headers cannot carry.`,
			);
		}
	}
}

/**
 * Path and query of a request target. The absolute form (`GET http://host/path`) is taken when its
 * authority is what the Host header says, so that both cannot be played against each other; a
 * repeated Host header, a fragment and any other form are refused with undefined.
 */
export function splitTarget(
	target: string,
	host: string | undefined,
): { path: string; query: string } | undefined {
	if (host?.includes(",")) return undefined;
	let local = target;
	if (target.charCodeAt(0) !== 47 /* / */) {
		const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
		if (absolute) {
			if (absolute[1]?.toLowerCase() !== host?.toLowerCase()) return undefined;
			local = absolute[2]?.startsWith("/") ? absolute[2] : `/${absolute[2]}`;
		} else if (target !== "*") return undefined;
	}
	if (local.includes("#")) return undefined;
	const mark = local.indexOf("?");
	return mark < 0
		? { path: local, query: "" }
		: { path: local.slice(0, mark), query: local.slice(mark + 1) };
}

/** The answer to a fault of the request itself that a handler let pass; undefined for every other throw. */
export function faultAnswer(
	error: unknown,
): { status: number; code: string; message: string } | undefined {
	if (!(error instanceof Fault)) return undefined;
	const status = requestFaults[error.code];
	return status === undefined
		? undefined
		: { status, code: error.code, message: error.message };
}

const requestFaults: Readonly<Record<string, number>> = {
	"http/aborted": 400,
	"http/body-too-large": 413,
	"http/timeout": 408,
	"http/unsupported-encoding": 415,
};

/** Why a server cannot listen, from what the system said. */
export function listenFault(cause: unknown, host: string, port: number): Fault {
	const code = (cause as { code?: unknown } | null)?.code;
	return code === "EADDRINUSE"
		? new Fault(
				"http/address-in-use",
				`Port ${port} on ${host} is in use: stop the program that holds it, or choose another port.`,
				{ cause, details: { host, port } },
			)
		: new Fault(
				"http/address-refused",
				`Cannot listen on ${host} port ${port}: choose an address of this machine and a port that this user may open.`,
				{ cause, details: { host, port } },
			);
}

/** Whether a header says how a message is framed or how long a connection lives: the edge's own business. */
export function isFraming(name: string): boolean {
	return framing.has(name.toLowerCase());
}

const framing: ReadonlySet<string> = new Set([
	"connection",
	"content-length",
	"keep-alive",
	"transfer-encoding",
	"trailer",
	"upgrade",
]);
