import { isIP } from "node:net";

/** What the adapters of every runtime must do alike. */

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

/** The caller's headers without those that say how the message is framed, and ours; names and values in turn. */
export function ownHeaders(
	headers: Readonly<Record<string, string>>,
	origin: Origin,
	method: string,
	size: number,
): string[] {
	const flat = ["host", origin.host, "accept-encoding", "identity"];
	for (const name in headers) {
		if (!ours.has(name.toLowerCase())) flat.push(name, headers[name] as string);
	}
	if (size > 0 || (method !== "GET" && method !== "HEAD"))
		flat.push("content-length", String(size));
	return flat;
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
