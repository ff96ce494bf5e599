import { isIP } from "node:net";

/** Where a request goes. */
export interface Origin {
	readonly secure: boolean;
	readonly hostname: string;
	readonly port: number;
	/** As the Host header says it. */
	readonly host: string;
	/** For TLS; "" for an address, which carries no name. */
	readonly servername: string;
	/** Path and query of a URL of this origin. */
	path(url: string): string;
}

const originsKept = 1_000;

/** The origin of an absolute URL, parsed once for each; undefined when it is none that we can send to. */
export function originOf(
	url: string,
	known: Map<string, Origin | undefined>,
): Origin | undefined {
	const start = url.indexOf("://") + 3;
	if (start < 3) return undefined;
	let end = start;
	for (; end < url.length; end++) {
		const character = url.charCodeAt(end);
		if (
			character === 47 /* / */ ||
			character === 63 /* ? */ ||
			character === 35 /* # */
		)
			break;
	}
	const text = url.slice(0, end);
	let origin = known.get(text);
	if (origin === undefined && !known.has(text)) {
		if (known.size >= originsKept) known.clear();
		origin = parseOrigin(text);
		known.set(text, origin);
	}
	return origin;
}

function parseOrigin(text: string): Origin | undefined {
	const parsed = URL.parse(text);
	if (!parsed || !/^https?:$/.test(parsed.protocol) || !parsed.hostname)
		return undefined;
	// A name and password in an address would end up in places that show addresses.
	if (parsed.username || parsed.password) return undefined;
	const secure = parsed.protocol === "https:";
	const hostname = parsed.hostname.replace(/^\[|\]$/g, "");
	return {
		secure,
		hostname,
		port: Number(parsed.port || (secure ? 443 : 80)),
		host: parsed.host,
		servername: isIP(hostname) ? "" : hostname,
		path(url) {
			const rest = url.slice(text.length);
			const hash = rest.indexOf("#");
			const path = hash < 0 ? rest : rest.slice(0, hash);
			return path.startsWith("/") ? path : `/${path}`;
		},
	};
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const target = /^[\x21-\x7e\x80-\xff]+$/;

/** What is known of header names: whether they are the caller's to send. They come from a few lists. */
const callers = new Map<string, boolean>();
const namesKept = 1_000;

/** The head of a request as it is written; undefined for a method, path or header that HTTP cannot carry. */
export function requestHead(
	method: string,
	path: string,
	headers: Readonly<Record<string, string>>,
	origin: Origin,
	size: number,
): string | undefined {
	if (!token.test(method) || !target.test(path)) return undefined;
	let head = `${method} ${path} HTTP/1.1\r\nhost: ${origin.host}\r\nconnection: keep-alive\r\naccept-encoding: identity\r\n`;
	for (const name in headers) {
		let sent = callers.get(name);
		if (sent === undefined) {
			if (!token.test(name)) return undefined;
			sent = !ours.has(name.toLowerCase());
			if (callers.size < namesKept) callers.set(name, sent);
		}
		if (!sent) continue;
		const value = headers[name] as string;
		if (!fieldValue.test(value)) return undefined;
		head += `${name}: ${value}\r\n`;
	}
	if (size > 0 || (method !== "GET" && method !== "HEAD"))
		head += `content-length: ${size}\r\n`;
	return `${head}\r\n`;
}

const ours: ReadonlySet<string> = new Set([
	"host",
	"accept-encoding",
	"connection",
	"content-length",
	"expect",
	"keep-alive",
	"proxy-authorization",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
]);
