// SPDX-License-Identifier: BSD-3-Clause
/* A library of its own that `bench team` loads before MPI (mpi/traffic.c): its functions take the place of MPI's,
 * count, and pass on to whatever comes next, MPI or a profiler. The program itself defines no function of MPI's. */
#include <dlfcn.h>
#include <mpi.h>

double pr_traffic_sent(void);

static double sent;

double pr_traffic_sent(void)
{
    return sent;
}

/* The function of that name that this one stands before. */
#define NEXT(name) ((__typeof__(&name))next(#name))

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static double bytes_of(double count, MPI_Datatype type)
{
    int size = 0;
    PMPI_Type_size(type, &size);
    return count * size;
}

// (P-1)/P
static double others(MPI_Comm comm)
{
    int size = 1;
    PMPI_Comm_size(comm, &size);
    return (size - 1.0) / size;
}

int MPI_Send(const void *buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
    sent += bytes_of(count, type);
    return NEXT(MPI_Send)(buf, count, type, to, tag, comm);
}

int MPI_Rsend(const void *buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
    sent += bytes_of(count, type);
    return NEXT(MPI_Rsend)(buf, count, type, to, tag, comm);
}

int MPI_Isend(const void *buf, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request)
{
    sent += bytes_of(count, type);
    return NEXT(MPI_Isend)(buf, count, type, to, tag, comm, request);
}

int MPI_Sendrecv(const void *out, int n_out, MPI_Datatype type_out, int to, int tag_out, void *in, int n_in,
                 MPI_Datatype type_in, int from, int tag_in, MPI_Comm comm, MPI_Status *status)
{
    sent += bytes_of(n_out, type_out);
    return NEXT(MPI_Sendrecv)(out, n_out, type_out, to, tag_out, in, n_in, type_in, from, tag_in, comm, status);
}

int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    sent += 2 * others(comm) * bytes_of(count, type);
    return NEXT(MPI_Allreduce)(in, out, count, type, op, comm);
}

int MPI_Reduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm)
{
    sent += others(comm) * bytes_of(count, type);
    return NEXT(MPI_Reduce)(in, out, count, type, op, root, comm);
}

int MPI_Bcast(void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    sent += others(comm) * bytes_of(count, type);
    return NEXT(MPI_Bcast)(buf, count, type, root, comm);
}

int MPI_Allgatherv(const void *in, int n_in, MPI_Datatype type_in, void *out, const int *count, const int *start,
                   MPI_Datatype type, MPI_Comm comm)
{
    int size = 1;
    double all = 0;
    PMPI_Comm_size(comm, &size);
    for (int i = 0; i < size; i++)
        all += count[i];
    sent += others(comm) * bytes_of(all, type);
    return NEXT(MPI_Allgatherv)(in, n_in, type_in, out, count, start, type, comm);
}
