import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readAddress } from "../src/adapters/postgres/address.ts";
import { vendors } from "../src/adapters/vendors/all.ts";
import { type Config, parseConfig } from "../src/apps/config.ts";
import { findHome } from "../src/apps/home.ts";
import type { PeerPlace } from "../src/ports/peer-link.ts";
import { type Dos, openDos, type Serving } from "./e2e/dos.ts";

/** What examples/deploy says of the program, held against the program. */
const root = fileURLToPath(new URL("..", import.meta.url));
const read = (name: string) =>
	readFileSync(join(root, "examples/deploy", name), "utf8");
// biome-ignore lint/suspicious/noExplicitAny: these are others' formats, of which the test reads what it needs.
type Tree = any;

const compose: Tree = parse(read("compose.yaml"), { merge: true });
const items: Tree[] = parse(read("kubernetes.yaml"), {
	maxAliasCount: -1,
}).items;
const kind = (name: string): Tree => items.find((item) => item.kind === name);
const unit = ini(read("dos.service"));
const balancer = read("haproxy.cfg");
const settings: Config = parseSettings(read("config.yaml"));
const home = findHome({ DOS_HOME: "/var/lib/dos" });

const replicas = Object.entries<Tree>(compose.services)
	.filter(([name]) => name.startsWith("replica-"))
	.map(([name, service]) => ({ name, ...service }));
const deployment = kind("Deployment").spec.template.spec;
const [container] = deployment.containers;
const job = kind("Job").spec.template.spec.containers[0];

describe("commands", () => {
	it.each<[string, readonly string[]]>([
		["compose, replicas", replicas[0].command],
		["compose, setup", compose.services.setup.command],
		["kubernetes, replicas", container.args],
		["kubernetes, setup", job.args],
		[
			"systemd",
			/dos (.*)$/.exec(unit.Service?.ExecStart ?? "")?.[1]?.split(" ") ?? [],
		],
		["image", JSON.parse(/^CMD (.*)$/m.exec(read("Dockerfile"))?.[1] ?? "[]")],
	])("of %s are those of the program", (_, words) => {
		const [command, ...flags] = words;
		expect(["start", "init"]).toContain(command);
		const help = execFileSync(
			process.execPath,
			[join(root, "bin/dos.mjs"), command as string, "--help"],
			{ encoding: "utf8" },
		);
		for (const flag of flags) expect(help).toMatch(new RegExp(`${flag}\\b`));
	});
});

describe("settings", () => {
	it("are read without a warning, and let a container be reached", () => {
		expect(settings.listen).toMatchObject({ host: "0.0.0.0", insecure: true });
		const inCluster = parseSettings(kind("ConfigMap").data["config.yaml"]);
		expect(inCluster).toEqual(settings);
		expect(settings.listen.hosts).toContain(kind("Service").metadata.name);
	});

	it("come in by variables that the program knows", () => {
		const known = new Set([
			"DOS_HOME",
			"DOS_STORE",
			...vendors.flatMap(({ keyNames }) => keyNames),
		]);
		const named = [
			...Object.keys(replicas[0].environment),
			...container.env.map(({ name }: Tree) => name),
			...job.env.map(({ name }: Tree) => name),
			/^Environment=(\w+)=/m.exec(read("dos.service"))?.[1],
			/^ENV (\w+)=/m.exec(read("Dockerfile"))?.[1],
		];
		expect(named.filter((name) => !known.has(name))).toEqual([]);
		for (const { name, valueFrom } of container.env)
			if (valueFrom) {
				expect(valueFrom.secretKeyRef).toEqual({ name: "dos", key: name });
				expect(kind("Secret").stringData).toHaveProperty(name);
			}
	});

	it("name a store that can be read, encrypted where it is beyond the machine", () => {
		const { database } = compose.services;
		const inside = readAddress(
			replicas[0].environment.DOS_STORE.replace(
				/\$\{POSTGRES_PASSWORD[^}]*\}/,
				"x",
			),
		);
		expect(inside.client).toMatchObject({
			host: "database",
			user: database.environment.POSTGRES_USER,
			database: database.environment.POSTGRES_DB,
		});
		const outside = readAddress(kind("Secret").stringData.DOS_STORE);
		expect(outside.client.ssl).toMatchObject({ rejectUnauthorized: true });
	});

	it("lie where the program looks for them", () => {
		const mounted = [
			...replicas[0].volumes.map((one: string) => one.split(":")[1]),
			...container.volumeMounts.map((one: Tree) => one.mountPath),
		];
		for (const path of [home.config, home.auditKey])
			expect(mounted.filter((one) => one === path)).toHaveLength(2);
		for (const { name } of container.volumeMounts)
			expect(deployment.volumes.map((one: Tree) => one.name)).toContain(name);
		expect(unit.Service).toMatchObject({
			Environment: `DOS_HOME=${home.folder}`,
			StateDirectory: "dos",
		});
	});
});

describe("what belongs together", () => {
	it("fits: the balancer's replicas are the services, on the program's port", () => {
		const port = settings.listen.port;
		expect(port).toBe(4141);
		const servers = [...balancer.matchAll(/^\tserver (\S+) (\S+)$/gm)];
		expect(servers.map(([, name, address]) => [name, address])).toEqual(
			replicas.map(({ name }) => [name, `${name}:${port}`]),
		);
		expect(replicas.length).toBeGreaterThanOrEqual(2);
		expect(balancer).toContain(`bind :${port}`);
		expect(compose.services.balancer.ports).toEqual([
			`127.0.0.1:${port}:${port}`,
		]);
		const { peer } = settings.replica;
		expect(peer).toEqual({ port: expect.any(Number) });
		expect(container.ports).toEqual([
			{ name: "http", containerPort: port },
			{ name: "peer", containerPort: (peer as PeerPlace).port },
		]);
		expect(kind("Service").spec.ports[0].targetPort).toBe("http");
		const { labels } = kind("Deployment").spec.template.metadata;
		for (const one of ["Service", "Deployment", "PodDisruptionBudget"]) {
			const { selector } = kind(one).spec;
			expect(selector.matchLabels ?? selector).toEqual(labels);
		}
	});

	it("reaches: calls come from anywhere, what one writes for all from replicas alone, nothing else at all", () => {
		const { labels } = kind("Deployment").spec.template.metadata;
		const replicas = { podSelector: { matchLabels: labels } };
		expect(kind("NetworkPolicy").spec).toEqual({
			...replicas,
			policyTypes: ["Ingress"],
			ingress: [
				{ ports: [{ port: "http" }] },
				{ from: [replicas], ports: [{ port: "peer" }] },
			],
		});
		// Nor is it published beyond the containers.
		const peer = String((settings.replica.peer as PeerPlace).port);
		expect(JSON.stringify(kind("Service"))).not.toContain(peer);
		for (const { ports } of Object.values<Tree>(compose.services))
			expect(JSON.stringify(ports ?? [])).not.toContain(peer);
	});

	it("waits: nothing is cut off before a call may end, nor sent twice", () => {
		const minutes = (text: string | undefined) =>
			Number(/^(\d+)(m|min)$/.exec(text ?? "")?.[1]);
		const longest = settings.timeouts.total / 60_000;
		expect(minutes(/timeout server (\S+)/.exec(balancer)?.[1])).toBe(longest);
		expect(minutes(/timeout client (\S+)/.exec(balancer)?.[1])).toBe(longest);
		expect(minutes(unit.Service?.TimeoutStopSec)).toBeGreaterThan(longest);
		expect(balancer).toMatch(/^\tretry-on conn-failure$/m);
		const grace = deployment.terminationGracePeriodSeconds;
		const [, pause] = container.lifecycle.preStop.exec.command;
		const { periodSeconds, failureThreshold } = container.readinessProbe;
		expect(Number(pause)).toBeGreaterThan(periodSeconds * failureThreshold);
		expect(grace).toBe(60 * minutes(replicas[0].stop_grace_period));
	});
});

describe("names", () => {
	const names = [
		"Dockerfile",
		"compose.yaml",
		"config.yaml",
		"dos.service",
		"haproxy.cfg",
		"kubernetes.yaml",
	];
	const texts = names.map((name): [string, string] => [name, read(name)]);
	const ours = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

	it("of files are those of files that are there, or that a command beside them makes", () => {
		const services = Object.values<Tree>(compose.services);
		for (const { build } of services.filter((one) => one.build)) {
			const context = join(root, "examples/deploy", build.context);
			expect(existsSync(join(context, build.dockerfile))).toBe(true);
		}
		const mounted = services
			.flatMap(({ volumes = [] }: Tree) => volumes as string[])
			.map((one) => one.split(":")[0] as string);
		for (const source of mounted)
			if (source === "./audit.key")
				expect(read("compose.yaml")).toContain("-out audit.key");
			else if (source.startsWith("./"))
				expect(readdirSync(join(root, "examples/deploy"))).toContain(
					source.slice(2),
				);
			else expect(compose.volumes).toHaveProperty(source);
		for (const { name, subPath } of container.volumeMounts)
			if (subPath) {
				const volume = deployment.volumes.find(
					(one: Tree) => one.name === name,
				);
				if (volume.configMap)
					expect(kind("ConfigMap").data).toHaveProperty([subPath]);
				else {
					expect(volume.secret.items[0].path).toBe(subPath);
					expect(kind("Secret").stringData).toHaveProperty([
						volume.secret.items[0].key,
					]);
				}
			}
		expect(read("dos.service")).toContain(
			`/dev/null ${unit.Service?.EnvironmentFile?.replace(/^-/, "")}`,
		);
	});

	it("of the image are those of the package", () => {
		const image = read("Dockerfile");
		expect(ours.bin).toHaveProperty(
			JSON.parse(/^ENTRYPOINT (.*)$/m.exec(image)?.[1] ?? "[]"),
		);
		expect(image).toMatch(new RegExp(`^EXPOSE ${settings.listen.port}$`, "m"));
		const runtime = Number(/>=(\d+)/.exec(ours.engines.node)?.[1]);
		for (const [, version] of image.matchAll(/^FROM node:(\d+)/gm))
			expect(Number(version)).toBeGreaterThanOrEqual(runtime);
		// What `npm pack` runs and packs is not kept out of the build.
		expect(ours.scripts).toHaveProperty("prepack");
		const out = read("Dockerfile.dockerignore").split("\n");
		for (const path of ["src", ...ours.files])
			expect(out).not.toContain(path === "dist" ? "**/dist" : path);
		for (const one of [container, job])
			expect(one.image).toBe(`${ours.name}:${ours.version}`);
		const inCompose = [...replicas, compose.services.setup];
		for (const one of inCompose) expect(one.image).toBe(ours.name);
	});

	it("of settings in a comment are those that can be set", () => {
		const named = texts.flatMap(([, text]) =>
			[
				...text.matchAll(
					/\b(listen|limits|timeouts|replica|holds|retries)\.(\w+)/g,
				),
			].map(([, section, key]) => [section, key] as [keyof Config, string]),
		);
		expect(named.length).toBeGreaterThan(1);
		for (const [section, key] of named)
			expect(settings[section]).toHaveProperty(key);
	});

	it("of paths, services and jobs are asked for as they are called", () => {
		const paths = texts.flatMap(([, text]) =>
			[...text.matchAll(/(?<![\w/.-])\/(\w+z)\b/g)].map(([, path]) => path),
		);
		expect(new Set(paths)).toEqual(new Set(["healthz", "readyz"]));
		const [, service] =
			/docker compose logs (\S+)/.exec(read("compose.yaml")) ?? [];
		expect(compose.services).toHaveProperty(service as string);
		const [, name] =
			/kubectl logs job\/(\S+)/.exec(read("kubernetes.yaml")) ?? [];
		expect(kind("Job").metadata.name).toBe(name);
		const [, started] =
			/systemctl enable --now (\S+)/.exec(read("dos.service")) ?? [];
		expect(existsSync(join(root, `examples/deploy/${started}.service`))).toBe(
			true,
		);
		for (const one of [...replicas, compose.services.balancer]) {
			const needs = one.depends_on;
			for (const other of Array.isArray(needs) ? needs : Object.keys(needs))
				expect(compose.services).toHaveProperty(other);
		}
	});

	it("of numbers agree: the balancer lets in what a replica takes, on a database that is new enough", () => {
		const { connections } = settings.limits;
		for (const [, most] of balancer.matchAll(/maxconn (\d+)/g))
			expect(Number(most)).toBeLessThanOrEqual(connections);
		const [, version] =
			/^postgres:(\d+)$/.exec(compose.services.database.image) ?? [];
		expect(Number(version)).toBeGreaterThanOrEqual(15);
		expect(Number(unit.Service?.LimitNOFILE)).toBeGreaterThan(2 * connections);
	});
});

describe("probes", () => {
	let dos: Dos;
	let server: Serving;
	beforeAll(async () => {
		dos = openDos();
		await dos.run("init");
		writeFileSync(
			join(dos.home, "config.yaml"),
			read("config.yaml").replace("0.0.0.0", "127.0.0.1"),
		);
		server = await dos.serve();
	});
	afterAll(() => dos.close());

	const asked = (path: string, host: string) =>
		new Promise<number | undefined>((resolve, reject) => {
			request(`${server.url}${path}`, { headers: { host } }, (answer) => {
				answer.resume();
				resolve(answer.statusCode);
			})
				.on("error", reject)
				.end();
		});

	const inCluster = ["startupProbe", "livenessProbe", "readinessProbe"].map(
		(name): [string, string, string] => {
			const { path, httpHeaders } = container[name].httpGet;
			return [`kubernetes, ${name}`, path, httpHeaders[0].value];
		},
	);
	const inBalancer = /http-check send meth GET uri (\S+) hdr Host (\S+)/.exec(
		balancer,
	) as RegExpExecArray;
	const inCompose = /fetch\('http:\/\/([^/']+)(\/\w+)'/.exec(
		replicas[0].healthcheck.test.at(-1),
	) as RegExpExecArray;

	it.each<[string, string, string]>([
		...inCluster,
		["the balancer", inBalancer[1] as string, inBalancer[2] as string],
		["compose", inCompose[2] as string, inCompose[1] as string],
	])("of %s are answered", async (_, path, host) => {
		expect(await asked(path, host)).toBe(200);
	});

	it("ask whether a replica is ready where calls are sent, and whether it lives where it is started anew", () => {
		expect(inBalancer[1]).toBe("/readyz");
		expect(inCompose[2]).toBe("/readyz");
		expect(container.readinessProbe.httpGet.path).toBe("/readyz");
		expect(container.livenessProbe.httpGet.path).toBe("/healthz");
	});

	it("and clients reach it by the names they are told", async () => {
		for (const name of settings.listen.hosts)
			expect(await asked("/healthz", name)).toBe(200);
		expect(await asked("/healthz", "elsewhere.example")).toBe(421);
	});
});

it("a key made as the examples say signs", async () => {
	const { ed25519Signer } = await import("../src/adapters/runtime/signer.ts");
	const { privateKey } = generateKeyPairSync("ed25519");
	const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
	for (const text of [read("compose.yaml"), read("kubernetes.yaml")])
		expect(text).toContain("openssl genpkey -algorithm ed25519");
	expect(ed25519Signer("duranteos", pem).publicKey).toHaveLength(32);
});

function parseSettings(text: string): Config {
	const { config, warnings } = parseConfig(text, {
		environment: {},
		file: "config.yaml",
		folder: "/var/lib/dos",
	});
	expect(warnings).toEqual([]);
	return config;
}

function ini(text: string): Record<string, Record<string, string>> {
	const sections: Record<string, Record<string, string>> = {};
	let section: Record<string, string> = {};
	for (const line of text.split("\n")) {
		const name = /^\[(\w+)\]$/.exec(line)?.[1];
		if (name) {
			section = {};
			sections[name] = section;
			continue;
		}
		const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
		if (key !== undefined) section[key] = value ?? "";
	}
	return sections;
}
