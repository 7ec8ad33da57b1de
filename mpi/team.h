// SPDX-License-Identifier: BSD-3-Clause
/* Teams: the ranks of a world cut into process grids of rows x cols. A team lives as long as a phase of a sweep. */
#ifndef PR_MPI_TEAM_H
#define PR_MPI_TEAM_H

#include "mpi/world.h"
#include "parallel/team.h"

/* Cuts ranks first, first+1, ... of the world into teams of rows*cols neighbours; position p of a team is at row p /
 * cols, column p % cols, so that the ranks that split features, which exchange most, are neighbours. *out is this
 * rank's team, NULL for a rank that is in none (those before first, and the ones left over). Closed with
 * pr_teams_close. Collective on the world. */
void pr_teams_open(pr_world_t *w, int first, int rows, int cols, pr_team_t **out);
/* Ends this rank's team; does nothing for NULL. Collective on the team. */
void pr_teams_close(pr_team_t **team);

#endif
