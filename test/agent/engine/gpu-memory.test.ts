import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ON_GPU, recommendedGpuBytes, workingSetBytes } from '../../../agent/engine/mlx.ts';

test('the memory that Metal recommends: where there is Metal, and as MLX names it', () => {
  const bytes = recommendedGpuBytes();
  assert.equal(bytes !== null, ON_GPU);
  const info = {
    architecture: 'applegpu_g14d',
    max_buffer_length: 86_586_540_032,
    memory_size: 137_438_953_472,
  };
  assert.equal(
    workingSetBytes({ ...info, max_recommended_working_set_size: 115_448_725_504 }),
    115_448_725_504,
  );
  // a version that names it otherwise, or tells nonsense, is no reason to fail
  assert.equal(workingSetBytes(info), null);
  for (const wrong of [0, -1, 1.5, 'much', Number.NaN, 2 ** 60])
    assert.equal(workingSetBytes({ ...info, max_recommended_working_set_size: wrong }), null);
});
