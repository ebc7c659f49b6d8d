// A service as a systemd unit, for Linux. Pure.
import { systemFile } from '../../agent/checks/changes/system-file.ts';
import type { Argv, SystemChange } from '../../protocol/system-change.ts';
import type { ServiceName, ServiceSpec, SystemView } from './service-spec.ts';

const SYSTEMCTL = '/usr/bin/systemctl';
const RESTART_S = 2;
/** From SIGTERM to SIGKILL: an agent stops its stage in less. */
const STOP_S = 20;

export function unitName(name: ServiceName): string {
  return `espalier-${name}.service`;
}

export function unitPath(name: ServiceName): string {
  return `/etc/systemd/system/${unitName(name)}`;
}

/** The unit's text, as systemd.service(5) wants it. */
export function unitText({ name, command, home, user, environment }: ServiceSpec): string {
  return [
    '[Unit]',
    `Description=Espalier ${name}`,
    'Wants=network-online.target',
    'After=network-online.target',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    `User=${quoted(user)}`,
    `WorkingDirectory=${specifiers(home)}`,
    ...Object.entries(environment).map(([key, value]) => `Environment=${quoted(`${key}=${value}`)}`),
    `ExecStart=${command.map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ')}`,
    'Restart=always',
    `RestartSec=${RESTART_S}`,
    `TimeoutStopSec=${STOP_S}`,
    'KillMode=mixed',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

/** systemd's own quoting. */
function quoted(word: string): string {
  const plain = specifiers(word);
  return /^[\w./:=@,+%-]+$/.test(plain) ? plain : `"${plain.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** A percent sign stands for something else there. */
function specifiers(text: string): string {
  return text.replaceAll('%', '%%');
}

/**
 * @param before the unit file that is there now; null where there is none
 * @param folder in Espalier's home, for this change alone
 */
export function systemdService(spec: ServiceSpec, before: string | null, folder: string): SystemChange {
  const unit = unitName(spec.name);
  const file = systemFile({ path: unitPath(spec.name), text: unitText(spec), before }, folder, 'root');
  const reload: Argv = [SYSTEMCTL, 'daemon-reload'];
  const restart: Argv[] = [
    [SYSTEMCTL, 'enable', unit],
    [SYSTEMCTL, 'restart', unit],
  ];
  return {
    id: `service-${spec.name}`,
    description: `run \`espalier ${spec.name}\` as the systemd unit ${unit}, from the start of this machine on`,
    why: 'It starts without anybody logging in, and is started again when it ends.',
    needsRoot: true,
    files: file.files,
    apply: [file.write, reload, ...restart],
    undo: [[SYSTEMCTL, 'disable', '--now', unit], file.restore, reload, ...(before === null ? [] : restart)],
  };
}

/** What `systemctl show UNIT` says; undefined where there is no such unit. */
export function parseSystemctlShow(text: string): SystemView | undefined {
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1];
  if (value('LoadState') !== 'loaded') return undefined;
  const pid = Number(value('MainPID'));
  const hasFailed = value('ActiveState') === 'failed' || value('SubState') === 'auto-restart';
  return { pid: pid > 0 ? pid : null, hasFailed };
}
