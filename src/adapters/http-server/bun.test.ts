import { describe } from "vitest";
import { httpServerContract } from "../../ports/http-server.contract.ts";
import { bunHttpServer } from "./bun.ts";
import { bun } from "./bun-api.ts";

describe.skipIf(!bun)(
	bun ? "on Bun" : "needs Bun: its server exists there only",
	() => {
		httpServerContract("bun", () => bunHttpServer(), {
			absoluteTarget: "Bun takes the host from the Host header alone",
			connectionLimit: "Bun neither counts nor limits connections",
			earlyHead: "Bun sends a head with the first of its body",
			equalLengths: "Bun takes equal lengths for one",
			expectations: "Bun sends 100 by itself, before we are asked",
			headerLimit: "Bun has one limit of its own for the whole process",
			idleTimeout: "Bun counts idle time in steps of four seconds",
			lingering: "Bun closes at once, over what is still arriving",
			pipelining: "Bun closes on a request that comes before its answer",
			slowHeaders: "Bun has a fixed time of its own for headers",
		});
	},
);
