import { expect, it } from "vitest";
import { baseAddress } from "./base-address.ts";

it.each([
	["https://api.example.com/v1/", "https://api.example.com/v1"],
	["https://api.example.com", "https://api.example.com"],
	[" HTTPS://API.example.com:8443//v1// ", "https://api.example.com:8443//v1"],
	["http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"],
	["http://2130706433/v1", "http://127.0.0.1/v1"],
	["http://localhost:1234", "http://localhost:1234"],
	["http://10.1.2.3", "http://10.1.2.3"],
	["http://172.31.0.1", "http://172.31.0.1"],
	["http://192.168.1.9:8000/v1", "http://192.168.1.9:8000/v1"],
	["http://[::1]:8000", "http://[::1]:8000"],
	["http://[fd12:3456::1]", "http://[fd12:3456::1]"],
	["http://shed.local/v1", "http://shed.local/v1"],
	["http://host.docker.internal:8000", "http://host.docker.internal:8000"],
])("%s is called as %s", (text, base) => {
	expect(baseAddress(text)).toEqual({ ok: true, value: base });
});

it.each([
	["http://api.example.com/v1", "plain HTTP"],
	["http://8.8.8.8", "plain HTTP"],
	["http://172.32.0.1", "plain HTTP"],
	["http://169.254.169.254/latest", "plain HTTP"],
	["http://[2001:db8::1]", "plain HTTP"],
	["http://[fe80::1]", "plain HTTP"],
	["http://localhost.example.com", "plain HTTP"],
	["http://127.0.0.1.example.com", "plain HTTP"],
	["http://fd00.example.com", "plain HTTP"],
	["ftp://example.com", "must begin with"],
	["file:///etc/passwd", "must begin with"],
	["api.example.com", "must begin with"],
	["", "must begin with"],
	["https://user:s3cret@example.com", "must not hold a user"],
	["https://s3cret@example.com", "must not hold a user"],
	["https://example.com/v1?key=s3cret", "must not hold a query"],
	["https://example.com/v1?", "must not hold a query"],
	["https://example.com/v1#s3cret", "must not hold a query"],
])("%s is refused: %s", (text, why) => {
	const outcome = baseAddress(text);
	expect(outcome).toMatchObject({
		ok: false,
		error: {
			code: "config/base-invalid",
			message: expect.stringContaining(why),
		},
	});
	expect(JSON.stringify(outcome)).not.toContain("s3cret");
});

it("plain HTTP anywhere takes the owner's word, and nothing else does", () => {
	expect(baseAddress("http://api.example.com/v1", true)).toEqual({
		ok: true,
		value: "http://api.example.com/v1",
	});
	expect(baseAddress("http://user@api.example.com/v1", true).ok).toBe(false);
});
