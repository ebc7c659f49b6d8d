import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launchEnvironment, launchFile } from '../../../agent/mlx-distributed/launch-files.ts';
import { RankLaunch } from '../../../protocol/ranks.ts';

test('the ring: addresses in rank order, several for several connections', () => {
  const launch = RankLaunch.parse({
    backend: 'ring',
    hosts: [
      ['169.254.1.1:5000', '169.254.1.1:5001'],
      ['169.254.1.2:6000', '169.254.1.2:6001'],
    ],
  });
  assert.equal(
    launchFile(launch).text,
    '[["169.254.1.1:5000","169.254.1.1:5001"],["169.254.1.2:6000","169.254.1.2:6001"]]',
  );
  assert.deepEqual(launchEnvironment(launch, 1, '/dir/hosts.json'), {
    MLX_RANK: '1',
    MLX_HOSTFILE: '/dir/hosts.json',
  });
});

test('JACCL: a device from each rank to each other; no host file, which would choose the ring', () => {
  const devices = [
    [null, 'rdma_en5'],
    ['rdma_en3', null],
  ];
  const launch = RankLaunch.parse({ backend: 'jaccl', coordinator: '192.168.1.21:5000', devices });
  assert.deepEqual(JSON.parse(launchFile(launch).text), devices);
  assert.deepEqual(launchEnvironment(launch, 0, '/dir/devices.json'), {
    MLX_RANK: '0',
    MLX_JACCL_COORDINATOR: '192.168.1.21:5000',
    MLX_IBV_DEVICES: '/dir/devices.json',
  });
});

test('what MLX does not take is no launch: names, IPv6, ports that are none, devices with a path', () => {
  for (const host of [
    'studio.local:5000',
    '[fe80::1]:5000',
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:70000',
    '10.0.0.1:5:6',
  ]) {
    assert.equal(RankLaunch.safeParse({ backend: 'ring', hosts: [[host]] }).success, false, host);
  }
  const devices = [
    [null, '../rdma'],
    ['rdma_en3', null],
  ];
  assert.equal(
    RankLaunch.safeParse({ backend: 'jaccl', coordinator: '10.0.0.1:5000', devices }).success,
    false,
  );
});
