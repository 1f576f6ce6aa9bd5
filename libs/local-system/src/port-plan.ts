import { freePort, isPortFree } from './ports.js';
import { portHolder } from './port-holder.js';
import { StartProblem } from './problem.js';
import { type AppName, appNames, isGateway, variablePart } from './workspace.js';

/** The ports of one replica; a service has no port of its own. */
export interface AppPorts {
  port: number | undefined;
  managementPort: number;
}

export interface PortPlan {
  edge: number;
  /** Undefined when servers of one's own are used. */
  postgres: number | undefined;
  nats: number | undefined;
  /** One entry per replica. */
  apps: Record<AppName, AppPorts[]>;
}

export interface PortNeeds {
  /** `fixed`: the documented ports for the first replica of each app; `free`: any. */
  ports: 'fixed' | 'free';
  replicas: Record<AppName, number>;
  postgres: boolean;
  nats: boolean;
  environment: NodeJS.ProcessEnv;
}

const fixedPorts = {
  PORT_EDGE: 8000,
  PORT_API_GATEWAY: 8001,
  PORT_CHAT_GATEWAY: 8002,
  MANAGEMENT_PORT_IDENTITY: 8011,
  MANAGEMENT_PORT_MENTORSHIP: 8012,
  MANAGEMENT_PORT_CHAT: 8013,
  MANAGEMENT_PORT_NOTIFICATIONS: 8014,
  MANAGEMENT_PORT_PAYMENTS: 8015,
  MANAGEMENT_PORT_API_GATEWAY: 8021,
  MANAGEMENT_PORT_CHAT_GATEWAY: 8022,
  PORT_POSTGRES: 54_320,
  PORT_NATS: 42_220,
};
type PortVariable = keyof typeof fixedPorts;

/**
 * Which port everything gets. The variables `PORT_EDGE`, `PORT_NATS`, `MANAGEMENT_PORT_IDENTITY` and so
 * on overrule the documented ones.
 *
 * @throws {StartProblem} that names every fixed port that is taken, by whom, and the variable to change it.
 */
export async function planPorts(needs: PortNeeds): Promise<PortPlan> {
  const taken: { variable: PortVariable; port: number }[] = [];
  const given = new Set<number>();

  const anyPort = async (): Promise<number> => {
    for (;;) {
      const port = await freePort();
      if (!given.has(port)) {
        given.add(port);
        return port;
      }
    }
  };
  const choose = async (variable: PortVariable): Promise<number> => {
    const wanted = wantedPort(variable, needs);
    if (wanted === undefined) return anyPort();
    if (given.has(wanted)) {
      throw new StartProblem(
        `${variable}=${wanted} is the port of something else in MentorHub.`,
        `Choose another port for ${variable}.`,
      );
    }
    given.add(wanted);
    if (!(await isPortFree(wanted))) taken.push({ variable, port: wanted });
    return wanted;
  };

  const edge = await choose('PORT_EDGE');
  const postgres = needs.postgres ? await choose('PORT_POSTGRES') : undefined;
  const nats = needs.nats ? await choose('PORT_NATS') : undefined;
  const apps = {} as Record<AppName, AppPorts[]>;
  for (const app of appNames) {
    const part = variablePart(app);
    apps[app] = [];
    for (let replica = 0; replica < needs.replicas[app]; replica += 1) {
      const pick = (prefix: string): Promise<number> =>
        replica === 0 ? choose(`${prefix}_${part}` as PortVariable) : anyPort();
      apps[app].push({
        port: isGateway(app) ? await pick('PORT') : undefined,
        managementPort: await pick('MANAGEMENT_PORT'),
      });
    }
  }
  if (taken.length > 0) throw await takenPorts(taken);
  return { edge, postgres, nats, apps };
}

function wantedPort(variable: PortVariable, needs: PortNeeds): number | undefined {
  const text = needs.environment[variable];
  if (text === undefined || text === '') {
    return needs.ports === 'fixed' ? fixedPorts[variable] : undefined;
  }
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StartProblem(`${variable}=${text} is not a port.`, 'Use a number from 1 to 65535.');
  }
  return port;
}

async function takenPorts(
  taken: { variable: PortVariable; port: number }[],
): Promise<StartProblem> {
  const lines = await Promise.all(
    taken.map(async ({ variable, port }) => {
      const holder = (await portHolder(port)) ?? 'a process that this user may not see';
      return `  ${port}  in use by ${holder}  →  or set ${variable}=<another port>`;
    }),
  );
  return new StartProblem(
    taken.length === 1
      ? 'A port that MentorHub needs is taken:'
      : 'Ports that MentorHub needs are taken:',
    `${lines.join('\n')}\nStop what holds ${taken.length === 1 ? 'it' : 'them'}, or choose other ports, for example: ${taken[0]?.variable}=${(taken[0]?.port ?? 0) + 100} npm start`,
  );
}
