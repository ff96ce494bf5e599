import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";

/**
 * A vendor's base address as we call it, without a slash at the end. Refuses (`config/base-invalid`)
 * whatever is no plain http or https address, carries user, password, query or fragment, or would send a
 * key and prompts over plain HTTP beyond this machine and its private network, unless the owner says
 * `insecure: true`. Never repeats the address: it may hold a secret.
 */
export function baseAddress(text: string, insecure = false): Outcome<string> {
	const url = URL.parse(text.trim());
	if (!url || !/^https?:$/.test(url.protocol))
		return wrong("must begin with https:// or http://");
	if (url.username || url.password)
		return wrong("must not hold a user or password: a key belongs in `key`");
	if (url.search || url.hash || /[?#]/.test(text))
		return wrong("must not hold a query or fragment");
	if (url.protocol === "http:" && !insecure && !isPrivateHost(url.hostname)) {
		return wrong(
			"would send keys and prompts over plain HTTP: use https://, or say that you accept it: insecure: true",
		);
	}
	return accept(url.href.replace(/\/+$/, ""));
}

/** Whether a host (as URL parsing writes it) can only be this machine or one in its private network. */
function isPrivateHost(host: string): boolean {
	const v4 = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(host);
	if (v4) {
		const [first, second] = [Number(v4[1]), Number(v4[2])];
		return (
			first === 127 ||
			first === 10 ||
			(first === 172 && second >= 16 && second <= 31) ||
			(first === 192 && second === 168)
		);
	}
	// Unique local IPv6 addresses are fc00::/7.
	if (host.startsWith("["))
		return host === "[::1]" || /^\[f[cd][0-9a-f]{2}:/.test(host);
	return (
		host === "localhost" ||
		/\.(localhost|local|internal|home\.arpa)$/.test(host)
	);
}

function wrong(what: string): ReturnType<typeof refuse> {
	return refuse("config/base-invalid", `The base address ${what}.`);
}
