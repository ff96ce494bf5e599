import { httpClientContract } from "../../ports/http-client.contract.ts";
import { socketHttpClient } from "../http-client/sockets.ts";
import { loopbackClient } from "./loopback.ts";

httpClientContract("loopback in front of sockets", (options) =>
	loopbackClient(socketHttpClient(options)),
);
