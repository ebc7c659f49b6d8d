// To be imported before anything that loads node-mlx: one BLAS thread, as a stage worker has it. Tests run side by side,
// and threads that wait for each other by spinning take the cores from everybody.
process.env.OPENBLAS_NUM_THREADS ??= '1';
