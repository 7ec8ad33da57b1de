# SPDX-License-Identifier: BSD-3-Clause
# Started by an srun without PMIx, N processes would each be rank 0 of 1: refused with advice. Under mpirun inside a job it runs.
. "$(dirname "$0")/lib.sh"

task() { # number, command
  env -u PMIX_RANK -u PMI_RANK -u OMPI_COMM_WORLD_SIZE SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NTASKS=3 SLURM_PROCID="$1" "${@:2}"
}

expect 4 task 1 "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$work/r\""
expect 4 task 0 "$paretorank" run "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$work/r\""
grep -q 'srun started 3 tasks' "$work/err" || fail "the refusal does not say what happened: $(cat "$work/err")"
grep -q -- '--mpi=pmix' "$work/err" || fail "the refusal gives no advice: $(cat "$work/err")"
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "the refusal has more than one line"
[ ! -e "$work/r" ] || fail "a refused run left something behind"

# A step's environment that mpirun's own ranks inherit is none of their concern.
expect 0 mpirun -n 2 -x SLURM_STEP_ID=0 -x SLURM_PROCID=0 -x SLURM_NTASKS=3 "$paretorank" run \
  "$PARETORANK_SOURCE_DIR/sweeps/tiny/sweep.cfg" --set "results=\"$work/r\"" --set finetune.steps=1 --set evaluate.prompts=2
