// `espalier doctor`: checks this machine and, through the controller, all of them; with --fix it mends here what can be undone.
import { Command, Option } from 'commander';
import type { Finding } from '../../protocol/doctor.ts';
import { espalierHome } from '../../protocol/home.ts';
import { DOCTOR_EXIT_CODES, EXIT } from './exit-codes.ts';
import { controllerOption } from './options.ts';

interface Options {
  controller: string;
  local?: boolean;
  json?: boolean;
  fix?: boolean;
  yes?: boolean;
}

export function doctorCommand(exit: (code: number) => void): Command {
  return new Command('doctor')
    .summary('find what there is to mend, here and on all nodes')
    .description(
      'Checks this machine and, through the controller, every node: versions, clocks, disk, memory limit, sleep, power, ' +
        'firewall, Local Network permission, cables, routes, and how far each Mac is from RDMA. Each finding tells what was ' +
        'seen, why it matters, and the exact command that mends it. It takes up to 20 seconds on a Mac.',
    )
    .addOption(controllerOption())
    .option('--local', 'check this machine only; ask no controller')
    .option('--fix', 'mend on this machine what can be undone, after showing it')
    .option('-y, --yes', 'with --fix: do not ask')
    .addOption(new Option('--json', 'print one JSON object with everything').conflicts('fix'))
    .addHelpText(
      'after',
      `
Examples:
  espalier doctor
  espalier doctor --local --fix
  ssh studio-2 espalier doctor --local --fix --yes
  espalier doctor --json | jq '.findings[] | select(.severity != "info") | {node, id, seen}'

--fix never opens a port, never cuts a connection, and writes each change with what undoes it to
ESPALIER_HOME/system-changes.jsonl.
${DOCTOR_EXIT_CODES}`,
    )
    .action(async (options: Options) => {
      const [{ examine }, { doctorReport }] = await Promise.all([
        import('./doctor/examine.ts'),
        import('./doctor/doctor-report.ts'),
      ]);
      const home = espalierHome();
      const examined = await examine(home, options.local ? undefined : options.controller);
      if (options.json) console.log(JSON.stringify(examined, null, 2));
      else console.log(doctorReport(examined));
      if (options.fix) {
        const [{ mend }, { ChangeJournal }, { runArgv }] = await Promise.all([
          import('./doctor/mend.ts'),
          import('../system-changes/journal.ts'),
          import('../system-changes/run-argv.ts'),
        ]);
        const canAsk = process.stdin.isTTY === true;
        const tools = { journal: new ChangeJournal(home), run: runArgv, canAsk };
        const areMended = await mend(examined.local.findings, tools, !options.yes);
        return exit(areMended ? EXIT.ok : EXIT.error);
      }
      return exit(isWellEnough(examined.findings) ? EXIT.ok : EXIT.toMend);
    });
}

function isWellEnough(findings: readonly Finding[]): boolean {
  return findings.every(({ severity }) => severity === 'info');
}
