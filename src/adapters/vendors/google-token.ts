import { createPrivateKey, sign } from "node:crypto";
import { Fault } from "../../kernel/outcome.ts";
import type { Authorizer, Outside } from "./authorization.ts";
import type { Credentials } from "./registry.ts";

type GoogleCredentials = Extract<Credentials, { of: "login" }>;
type Headers = Readonly<Record<string, string>>;

interface Token {
	readonly text: string;
	readonly headers: Headers;
	/** Milliseconds since 1970 UTC. */
	readonly expires: number;
}

/** A new token is fetched when the old one has less than this left: what is then under way still ends with the old one. */
const early = 4 * 60_000;
const longest = 15_000;
const usualTokenAddress = "https://oauth2.googleapis.com/token";

/**
 * Bearer tokens of a Google login, in the order that Google's own libraries look for one: a file
 * that the environment names, the file of this machine's user, the metadata server of a machine of
 * Google's. A token is kept until shortly before it expires and fetched once for all who wait; one
 * that still holds serves on when fetching the next fails.
 */
export function googleToken(
	credentials: GoogleCredentials,
	outside: Outside,
): Authorizer {
	let token: Token | undefined;
	let fetching: Promise<Token> | undefined;
	/** The last tokens (an answer may still be under way with an older one), and what they were got with. */
	const secrets: string[] = [];
	const kept = 8;

	function keepSecret(secret: string): void {
		if (secrets.includes(secret)) return;
		secrets.push(secret);
		if (secrets.length > kept) secrets.shift();
	}

	async function renew(): Promise<Token> {
		const asked = outside.now();
		const { text, seconds } = await fetchToken(
			credentials,
			outside,
			keepSecret,
		);
		keepSecret(text);
		token = {
			text,
			headers: { authorization: `Bearer ${text}` },
			expires: asked + seconds * 1000,
		};
		return token;
	}

	function renewed(): Promise<Token> {
		fetching ??= renew().finally(() => {
			fetching = undefined;
		});
		return fetching;
	}

	async function wait(): Promise<Headers> {
		try {
			return (await renewed()).headers;
		} catch (fault) {
			if (token && token.expires > outside.now()) return token.headers;
			throw fault;
		}
	}

	return {
		authorize: () =>
			token && token.expires - outside.now() > early ? token.headers : wait(),
		secrets: () => secrets,
	};
}

async function fetchToken(
	credentials: GoogleCredentials,
	outside: Outside,
	keepSecret: (secret: string) => void,
): Promise<{ readonly text: string; readonly seconds: number }> {
	const login = await readLogin(credentials, outside);
	if (!login) {
		const address = `http://${credentials.metadataHost}/computeMetadata/v1/instance/service-accounts/default/token?scopes=${encodeURIComponent(credentials.scope)}`;
		return ask(outside, address, {
			method: "GET",
			headers: { "metadata-flavor": "Google" },
			whose: "The metadata server",
			otherwise:
				" Set GOOGLE_APPLICATION_CREDENTIALS to a key file, or log in with gcloud auth application-default login.",
		});
	}
	const { path, fields } = login;
	const text = (name: string): string => {
		const value = fields[name];
		if (typeof value === "string" && value !== "") return value;
		return unusable(`${path} has no ${name}`);
	};
	switch (fields.type) {
		case "service_account": {
			const address = tokenAddress(path, fields);
			const assertion = signedClaim(
				path,
				{
					alg: "RS256",
					typ: "JWT",
					...(typeof fields.private_key_id === "string" && {
						kid: fields.private_key_id,
					}),
				},
				{
					iss: text("client_email"),
					scope: credentials.scope,
					aud: address,
					...validity(outside.now()),
				},
				text("private_key"),
			);
			return ask(outside, address, {
				...form({
					grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
					assertion,
				}),
				whose: "Google",
			});
		}
		case "authorized_user": {
			const secret = text("client_secret");
			const refresh = text("refresh_token");
			keepSecret(secret);
			keepSecret(refresh);
			return ask(outside, tokenAddress(path, fields), {
				...form({
					grant_type: "refresh_token",
					client_id: text("client_id"),
					client_secret: secret,
					refresh_token: refresh,
				}),
				whose: "Google",
				otherwise: " Log in again: gcloud auth application-default login.",
			});
		}
		default:
			return unusable(
				`${path} is of the type ${typeof fields.type === "string" ? JSON.stringify(fields.type.slice(0, 50)) : "(none)"}, which is not supported: use the key file of a service account, or the login of a user`,
			);
	}
}

/** The login's file; undefined when there is none and the metadata server is asked. */
async function readLogin(
	{ file, usualFile }: GoogleCredentials,
	{ readFile }: Outside,
): Promise<
	| { readonly path: string; readonly fields: Record<string, unknown> }
	| undefined
> {
	const path = file ?? usualFile;
	if (path === undefined) return undefined;
	let content: string;
	try {
		content = await readFile(path);
	} catch (cause) {
		const code = (cause as NodeJS.ErrnoException).code;
		if (file === undefined && code === "ENOENT") return undefined;
		throw new Fault(
			"vendor/no-credentials",
			`${path} cannot be read (${code}).`,
			{
				cause,
			},
		);
	}
	try {
		const fields: unknown = JSON.parse(content);
		if (typeof fields === "object" && fields !== null)
			return { path, fields: fields as Record<string, unknown> };
	} catch {
		// An error of parsing would quote the file.
	}
	return unusable(`${path} is no JSON object`);
}

/** Where tokens are asked for: only ever Google, whatever the file says. */
function tokenAddress(
	path: string,
	{ token_uri, universe_domain }: Record<string, unknown>,
): string {
	if (universe_domain !== undefined && universe_domain !== "googleapis.com")
		return unusable(`${path} is of another cloud than Google's public one`);
	if (token_uri === undefined) return usualTokenAddress;
	const url = typeof token_uri === "string" ? URL.parse(token_uri) : null;
	const google =
		url?.protocol === "https:" &&
		url.port === "" &&
		/^(?:[a-z0-9-]+\.)*(?:googleapis|google)\.com$/.test(url.hostname);
	return google ? url.href : unusable(`token_uri in ${path} is not of Google`);
}

function validity(now: number): { iat: number; exp: number } {
	const iat = Math.floor(now / 1000);
	return { iat, exp: iat + 3600 };
}

function signedClaim(
	path: string,
	header: object,
	claim: object,
	privateKey: string,
): string {
	const encode = (part: object) =>
		Buffer.from(JSON.stringify(part)).toString("base64url");
	const said = `${encode(header)}.${encode(claim)}`;
	let signature: Buffer;
	try {
		signature = sign(
			"RSA-SHA256",
			Buffer.from(said),
			createPrivateKey(privateKey),
		);
	} catch {
		// The cause may quote the key.
		return unusable(`private_key in ${path} is no RSA key`);
	}
	return `${said}.${signature.toString("base64url")}`;
}

interface Question {
	readonly method: string;
	readonly headers: Headers;
	readonly body?: string;
	readonly whose: string;
	readonly otherwise?: string;
}

function form(
	fields: Readonly<Record<string, string>>,
): Omit<Question, "whose"> {
	return {
		method: "POST",
		headers: { "content-type": "application/x-www-form-urlencoded" },
		body: new URLSearchParams(fields).toString(),
	};
}

async function ask(
	{ fetch }: Outside,
	address: string,
	{ whose, otherwise = "", ...init }: Question,
): Promise<{ readonly text: string; readonly seconds: number }> {
	const noToken = (why: string, retryable: boolean, cause?: unknown): never => {
		throw new Fault(
			"vendor/no-token",
			`${whose} gave no access token: ${why}.${otherwise}`,
			{ retryable, ...(cause !== undefined && { cause }) },
		);
	};
	let status: number;
	let answer: string;
	try {
		const response = await fetch(address, {
			...init,
			redirect: "error",
			signal: AbortSignal.timeout(longest),
		});
		status = response.status;
		answer = await response.text();
	} catch (cause) {
		return noToken("it could not be reached", true, cause);
	}
	const said = parsed(answer);
	if (status !== 200) {
		const code = said.error;
		const shown =
			typeof code === "string" && /^[a-z_]{1,50}$/.test(code)
				? ` (${code})`
				: "";
		return noToken(
			`it answered ${status}${shown}`,
			status === 429 || status >= 500,
		);
	}
	const { access_token: text, expires_in: seconds } = said;
	if (typeof text !== "string" || !/^[\x21-\x7e]+$/.test(text))
		return noToken("its answer holds none", false);
	if (typeof seconds !== "number" || !(seconds > 0))
		return noToken("its answer does not say how long it holds", false);
	return { text, seconds };
}

function parsed(text: string): Record<string, unknown> {
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value === "object" && value !== null)
			return value as Record<string, unknown>;
	} catch {
		// No JSON says nothing.
	}
	return {};
}

function unusable(problem: string): never {
	throw new Fault("vendor/no-credentials", `${problem}.`);
}
